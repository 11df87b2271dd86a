"""Check runs that Apps make themselves, their suites, and the annotations of any check run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from bot.demo.github.state.accounts import App
    from bot.demo.github.state.actions import Conclusion
    from bot.demo.github.state.repositories import Repository

CheckStatus = Literal["queued", "in_progress", "completed"]
AnnotationLevel = Literal["notice", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark on some lines of a file; columns only where it is about one line."""

    path: str
    start_line: int
    end_line: int
    annotation_level: AnnotationLevel
    message: str
    title: str | None = None
    raw_details: str | None = None
    start_column: int | None = None
    end_column: int | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """What a finished check run offers to do; pressing it sends its identifier to the App."""

    label: str
    description: str
    identifier: str


@dataclass(slots=True, eq=False)
class CheckSuite:
    """The check runs of one App on one commit."""

    id: int
    app: App
    repository: Repository
    head_branch: str | None
    head_sha: str
    created_at: datetime
    updated_at: datetime
    check_runs: list[CheckRun] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class CheckRun:
    """A check run of an App; its annotations are kept with those of jobs, under its id."""

    id: int
    suite: CheckSuite
    name: str
    status: CheckStatus
    started_at: datetime
    conclusion: Conclusion | None = None
    completed_at: datetime | None = None
    details_url: str | None = None
    external_id: str = ""
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    actions: list[Button] = field(default_factory=list)

    @property
    def repository(self) -> Repository:
        return self.suite.repository

    @property
    def app(self) -> App:
        return self.suite.app
