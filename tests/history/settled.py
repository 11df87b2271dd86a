"""A town in which all is known, and what can happen there that no event tells of."""

from collections.abc import Callable
from datetime import timedelta

from tests.history.town import Town


class Settled:
    """The App on acme for two of its three repositories, on globex for all, and all that is known."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.rocket, self.widget, self.spare = town.create("rocket", "widget", "spare")
        (self.tool,) = town.create("tool", owner=town.globex)
        self.acme = town.install(self.rocket, self.widget)
        self.globex = town.install(owner=town.globex)


def adds(now: Settled) -> None:
    now.town.github.installations.add_repositories(now.acme, [now.spare])


def removes(now: Settled) -> None:
    now.town.github.installations.remove_repositories(now.acme, [now.rocket])


def creates(now: Settled) -> None:
    now.town.create("gadget", owner=now.town.globex)


def renames(now: Settled) -> None:
    now.town.github.repositories.rename(now.rocket, "shuttle")


def swaps_names(now: Settled) -> None:
    for repository, name in ((now.rocket, "x"), (now.widget, "rocket"), (now.rocket, "widget")):
        now.town.github.repositories.rename(repository, name)


def renames_account(now: Settled) -> None:
    now.town.github.installations.rename_account(now.town.acme, "acme-works")


def archives(now: Settled) -> None:
    now.town.github.repositories.archive(now.rocket)


def makes_private(now: Settled) -> None:
    now.rocket.private = True


def deletes_repository(now: Settled) -> None:
    now.town.github.repositories.delete(now.rocket)


def transfers(now: Settled) -> None:
    now.town.github.repositories.transfer(now.rocket, now.town.globex)


def transfers_away(now: Settled) -> None:
    now.town.github.repositories.transfer(now.rocket, now.town.github.add_user("mona"))


def suspends(now: Settled) -> None:
    now.town.github.installations.suspend(now.acme)


def accepts_permissions(now: Settled) -> None:
    now.acme.app.permissions["actions"] = "write"
    now.town.github.installations.accept_permissions(now.acme)


def uninstalls(now: Settled) -> None:
    now.town.github.installations.delete(now.acme)


def installs_again(now: Settled) -> None:
    uninstalls(now)
    now.town.install()


HAPPENINGS: list[Callable[[Settled], None]] = [
    adds,
    removes,
    creates,
    renames,
    swaps_names,
    renames_account,
    archives,
    makes_private,
    deletes_repository,
    transfers,
    transfers_away,
    suspends,
    accepts_permissions,
    uninstalls,
    installs_again,
]


def name_of(happening: Callable[[Settled], None]) -> str:
    return happening.__name__


def is_about(due_in: timedelta | None, expected: timedelta) -> bool:
    """Tell whether something is due as it should be, but for the seconds that have passed meanwhile."""
    return due_in is not None and abs(due_in - expected) < timedelta(seconds=10)
