"""What Apps wrote for people to read: each check run and comment that was made or changed, with its text."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from bot.demo.github.state.checks import CheckRun

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.comments import IssueComment
    from bot.demo.github.state.repositories import PullRequest
    from bot.demo.github.state.world import World

_HIDDEN = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Write:
    """One write: `shown` is what people see after it, and `is_changed` whether they see anything else than before.

    `pulls` are the numbers of the pull requests that it is seen on; of a check run, those whose head its commit ever
    was. `body` is what was sent.
    """

    at: datetime
    kind: Literal["check", "comment"]
    action: Literal["create", "edit", "delete"]
    id: int
    app: str
    repository: str
    head_sha: str | None
    pulls: tuple[int, ...]
    body: Any
    shown: Any
    is_changed: bool = True


class Journal:
    """Every write in its order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.writes: list[Write] = []

    def of(self, pull: PullRequest) -> list[Write]:
        """Return what was written that is seen on a pull request."""
        full_name = pull.repository.full_name
        return [one for one in self.writes if one.repository == full_name and pull.number in one.pulls]

    def of_id(self, number: int) -> list[Write]:
        """Return the history of one check run or comment."""
        return [one for one in self.writes if one.id == number]

    def unchanged(self) -> list[Write]:
        """Return the writes after which everything looked as before."""
        return [one for one in self.writes if not one.is_changed]

    def counts(self) -> dict[tuple[str, int], Counter[str]]:
        """Return how many writes of each kind there were, as `check create`, by repository and pull request."""
        found: dict[tuple[str, int], Counter[str]] = {}
        for one in self.writes:
            for number in one.pulls:
                found.setdefault((one.repository, number), Counter())[f"{one.kind} {one.action}"] += 1
        return found

    def look(self, what: CheckRun | IssueComment) -> Any:
        """Return what people see of a check run or a comment now, to be told again after a write."""
        if not isinstance(what, CheckRun):
            return _HIDDEN.sub("", what.body)
        buttons = tuple((one.label, one.description, one.identifier) for one in what.actions)
        notes = tuple(self._world.annotations[what.id])
        state = (what.name, what.status, what.conclusion, what.details_url)
        return (*state, what.title, what.summary, what.text, buttons, notes)

    def note(
        self,
        action: Literal["create", "edit", "delete"],
        what: CheckRun | IssueComment,
        app: str,
        body: Any,
        before: Any = None,
    ) -> None:
        """Enter a write that was done; `before` is what was seen until then."""
        is_check = isinstance(what, CheckRun)
        repository = what.repository if isinstance(what, CheckRun) else what.pull.repository
        sha = what.suite.head_sha if isinstance(what, CheckRun) else None
        pulls = [what.pull] if not isinstance(what, CheckRun) else self._world.pulls_that_had(repository, sha or "")
        shown = None if action == "delete" else self.look(what)
        self.writes.append(
            Write(
                self._world.timeline.clock.now(),
                "check" if is_check else "comment",
                action,
                what.id,
                app,
                repository.full_name,
                sha,
                tuple(sorted(pull.number for pull in pulls)),
                body,
                shown,
                shown != before,
            )
        )
