"""What an inbox needs to know of whoever handles deliveries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bot.domain.news import News
from bot.inbox.journal import Told
from bot.settings import Dialect
from bot.store.conversation import Conversation
from bot.store.database import Transaction


class Posted(Protocol):
    """A delivery whose body is in memory."""

    @property
    def guid(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def body(self) -> bytes: ...
    @property
    def received_at(self) -> datetime: ...


class Handler(Protocol):
    """Reads deliveries as they come, and records what they tell a moment later."""

    async def read(self, delivery: Posted, /) -> News | None:
        """Return what a delivery that is not large tells, None to leave it to a worker."""

    def recording(
        self, dialect: Dialect, told: Sequence[Told], now: datetime, /, *, prepared: bool = False
    ) -> Conversation[None]:
        """Record what these deliveries tell.

        Raises `recorder.DirectoryNews`, having written nothing, where `prepare` has to be called before.
        """

    async def prepare(self, tx: Transaction, told: Sequence[Told], now: datetime, /) -> None:
        """Do what can't be part of a conversation."""

    def report(self, told: Sequence[Told], /) -> None:
        """Hear that what these deliveries tell is committed."""


class LeaveAll:
    """Leaves everything to a worker."""

    async def read(self, _delivery: Posted) -> None: ...

    def recording(
        self,
        _dialect: Dialect,
        _told: Sequence[Told],
        _now: datetime,
        *,
        prepared: bool = False,  # noqa: ARG002
    ) -> Conversation[None]:
        yield from ()

    async def prepare(self, _tx: Transaction, _told: Sequence[Told], _now: datetime) -> None: ...

    def report(self, _told: Sequence[Told]) -> None: ...
