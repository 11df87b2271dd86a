"""What feedback works with."""

from dataclasses import dataclass

from bot.clock import Clock
from bot.github import GitHub
from bot.store.database import Database
from bot.store.leases import Leases


@dataclass(frozen=True, slots=True)
class Tools:
    """The record, GitHub, the time, and the rights that other processes may have.

    `app_id` is ours, by which we know what we wrote; `server_url` is where people see GitHub, such as
    https://github.com, for links that no body told.
    """

    database: Database
    github: GitHub
    clock: Clock
    leases: Leases
    app_id: int
    server_url: str
