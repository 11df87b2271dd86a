"""A request as the resources see it: who asks for what, in plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.demo.github.rest.answers import Failure, not_found
from bot.demo.github.state.runs import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bot.demo.github.rest.callers import Caller, InstallationToken
    from bot.demo.github.simulation import SimulatedGitHub
    from bot.demo.github.state.accounts import Account, App
    from bot.demo.github.state.repositories import PullRequest, Repository
    from bot.demo.github.state.world import Addresses, World


@dataclass(slots=True)
class Ask:
    """One request to one route; `path` has the values of the route's names, `body` what was sent."""

    github: SimulatedGitHub
    caller: Caller
    at: datetime
    path: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    method: str = "GET"
    accept: str = ""
    location: str = ""
    cookies: Mapping[str, str] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return self.github.world

    @property
    def addresses(self) -> Addresses:
        return self.github.world.addresses

    @property
    def token(self) -> InstallationToken:
        """The installation token that it came with; only for routes that nobody else may use."""
        if self.caller.installation_token is None:
            raise Failure(401, "Requires authentication")
        return self.caller.installation_token

    @property
    def app(self) -> App:
        """The App that it came from or through."""
        if self.caller.app is None:
            raise Failure(401, "Requires authentication")
        return self.caller.app

    @property
    def user(self) -> Account:
        """The person whose token it came with."""
        if self.caller.user is None:
            raise Failure(401, "Requires authentication")
        return self.caller.user

    def number(self, name: str) -> int:
        """Return a value of the path that has to be a number; Failure 404 for anything else."""
        try:
            return int(self.path[name])
        except ValueError:
            raise not_found() from None

    def repository(self) -> Repository:
        """Return the repository that the path names, if the caller sees it; Failure 404 or 301 otherwise."""
        if "repository_id" in self.path:
            found = self.world.repositories.get(self.number("repository_id"))
        else:
            found = self.world.look_up_repository(f"{self.path['owner']}/{self.path['repo']}")
        if found is None or found.deleted_at is not None or not self._sees(found):
            raise not_found()
        self._redirect_if_renamed(found)
        return found

    def _sees(self, repository: Repository) -> bool:
        if self.caller.user is not None:
            return not repository.private or self._sees_as_person(self.caller.user, repository)
        return self.caller.installation_token is not None and self.caller.installation_token.reaches(repository)

    def _sees_as_person(self, user: Account, repository: Repository) -> bool:
        """Tell whether both the person and an installation of the App see a private repository."""
        installed = (one for one in self.world.installations.values() if one.app is self.caller.app)
        reached = any(one.sees(repository) for one in installed)
        return reached and self.world.explicit_role_of(user, repository) != "none"

    def _redirect_if_renamed(self, repository: Repository) -> None:
        if "owner" not in self.path:
            return
        asked = f"{self.path['owner']}/{self.path['repo']}"
        if asked.lower() == repository.full_name.lower():
            return
        rest = self.location.partition(f"/repos/{asked}")[2]
        url = f"{self.addresses.api}/repositories/{repository.id}{rest}"
        permanent = self.method in {"GET", "HEAD"}
        status, message = (301, "Moved Permanently") if permanent else (307, "Temporary Redirect")
        moved = Failure(status, message, headers={"Location": url})
        moved.answer.body["url"] = url
        raise moved

    def pull_request(self) -> PullRequest:
        """Return the pull request that the path names."""
        number = self.number("issue_number" if "issue_number" in self.path else "pull_number")
        pull = self.world.pull_request(self.repository(), number)
        if pull is None:
            raise not_found()
        return pull

    def flag(self, name: str) -> bool:
        return self.query.get(name) in {"true", "1"}

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return a parameter that has to be one of a few words; Failure 422 for another."""
        value = self.query.get(name, default)
        if value not in allowed:
            raise Failure(422, f"Invalid value for {name}: {value}")
        return value


_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


def created_range(text: str | None) -> tuple[int, int]:
    """Return the first and the last second of a `created` parameter, all of time for None.

    https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
    """
    if text is None:
        return 0, END_OF_TIME
    if ".." in text:
        begin, _, end = text.partition("..")
        return (0 if begin == "*" else _first(begin)), (END_OF_TIME if end == "*" else _last(end))
    if text.startswith(">="):
        return _first(text[2:]), END_OF_TIME
    if text.startswith("<="):
        return 0, _last(text[2:])
    if text.startswith(">"):
        return _last(text[1:]) + 1, END_OF_TIME
    if text.startswith("<"):
        return 0, _first(text[1:]) - 1
    return _first(text), _last(text)


def _first(text: str) -> int:
    return int(_moment(text).timestamp())


def _last(text: str) -> int:
    whole_day = timedelta(days=1, seconds=-1) if "T" not in text else timedelta(0)
    return int((_moment(text) + whole_day).timestamp())


def _moment(text: str) -> datetime:
    try:
        if not _MOMENT.fullmatch(text):
            raise ValueError(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(422, f"Invalid value for created: {text}") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
