"""The whole state of the simulated GitHub, and the time at which it changes."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bot.demo.github.state.accounts import Account, AccountType, App, Hook, highest
from bot.demo.github.state.actions import Runner
from bot.demo.github.state.causes import annotations_of
from bot.demo.github.state.checks import CheckRun
from bot.demo.github.state.identity import Numbers
from bot.demo.github.state.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.clock import Clock
    from bot.demo.github.state.accounts import Installation, Membership, Role
    from bot.demo.github.state.actions import Job, Workflow, WorkflowRun
    from bot.demo.github.state.checks import Annotation, CheckSuite
    from bot.demo.github.state.comments import IssueComment
    from bot.demo.github.state.repositories import Commit, PullRequest, Repository


@dataclass(slots=True)
class Addresses:
    """Where GitHub's API, its pages and its logs are; a stand-in that listens puts its own here. No trailing slash."""

    api: str = "https://api.github.com"
    html: str = "https://github.com"
    logs: str = "https://productionresultssa0.blob.core.windows.net"


class Timeline:
    """The moments that get stamped on what happens: the clock's, or one in the past that a story is being told at."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._told_at: datetime | None = None

    def now(self) -> datetime:
        """Return the moment to stamp, in whole seconds, as everything that GitHub stamps."""
        return (self._told_at or self.clock.now()).replace(microsecond=0)

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        """Stamp `moment` on all that is done inside; ValueError when it is yet to come.

        No delivery may report a change that is later than the delivery itself.
        """
        if moment > self.clock.now():
            raise ValueError(f"{moment} has not come yet")
        before, self._told_at = self._told_at, moment
        try:
            yield
        finally:
            self._told_at = before


class World:
    """Every entity by its id. Operations change it, renderers and the truth read it."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.timeline = Timeline(clock)
        self.numbers = Numbers(seed)
        self.addresses = Addresses()
        self.accounts: dict[int, Account] = {}
        self.apps: dict[int, App] = {}
        self.installations: dict[int, Installation] = {}
        self.repositories: dict[int, Repository] = {}
        self.workflows: dict[int, Workflow] = {}
        self.pull_requests: dict[int, PullRequest] = {}
        self.runs = Runs()
        self.check_runs: dict[int, CheckRun] = {}
        self.check_suites: dict[int, CheckSuite] = {}
        self.comments: dict[int, IssueComment] = {}
        self.annotations: defaultdict[int, list[Annotation]] = defaultdict(list)
        self.logs: dict[int, str] = {}
        self.memberships: dict[tuple[int, int], Membership] = {}
        self.collaborators: dict[tuple[int, int], Role] = {}
        self.runners: list[Runner] = []
        self.github_actions = _github_actions()
        self._pulls_by_head: defaultdict[tuple[int, str], list[PullRequest]] = defaultdict(list)
        self._commits: set[tuple[int, str]] = set()
        self._former_names: dict[str, int] = {}

    def now(self) -> datetime:
        return self.timeline.now()

    def add_account(self, login: str, kind: AccountType, name: str | None = None) -> Account:
        account = Account(self.numbers.next("account"), login, kind, name or login, self.now())
        self.accounts[account.id] = account
        return account

    @property
    def app(self) -> App:
        """The App that was registered last; LookupError when there is none."""
        if not self.apps:
            raise LookupError("no App is registered")
        return next(reversed(self.apps.values()))

    def find_account(self, login: str) -> Account | None:
        """Return who bears this name now, whatever its case."""
        return next((one for one in self.accounts.values() if one.login.lower() == login.lower()), None)

    def find_repository(self, full_name: str) -> Repository | None:
        """Return the repository that bears this name now."""
        living = (one for one in self.repositories.values() if one.deleted_at is None)
        return next((one for one in living if one.full_name == full_name), None)

    def remember_name(self, repository: Repository) -> None:
        """Let the name that a repository is about to lose lead to it from now on."""
        self._former_names[repository.full_name.lower()] = repository.id

    def look_up_repository(self, full_name: str) -> Repository | None:
        """Return the repository that bears this name, whatever its case, or else the one that last did."""
        wanted = full_name.lower()
        living = [one for one in self.repositories.values() if one.deleted_at is None]
        former = self._former_names.get(wanted)
        found = next((one for one in living if one.full_name.lower() == wanted), None)
        return found or next((one for one in living if one.id == former), None)

    def owns(self, person: Account, account: Account) -> bool:
        """Tell whether an account is a person's own, or an organisation that they are an owner of."""
        membership = self.memberships.get((account.id, person.id))
        return person is account or (membership is not None and membership.is_owner)

    def explicit_role_of(self, person: Account, repository: Repository) -> Role:
        """Return what a person may do in a repository as an owner, a member or a collaborator: not as anybody."""
        if self.owns(person, repository.owner):
            return "admin"
        membership = self.memberships.get((repository.owner.id, person.id))
        granted = self.collaborators.get((repository.id, person.id), "none")
        return highest(granted, "none" if membership is None else membership.role)

    def role_of(self, person: Account, repository: Repository) -> Role:
        """Return what a person may do in a repository, at least what anybody may in public."""
        return highest(self.explicit_role_of(person, repository), "none" if repository.private else "read")

    def add_commit(self, repository: Repository, commit: Commit) -> None:
        """Remember that a commit is there; a repository and its forks share theirs."""
        self._commits.add((_network(repository), commit.sha))

    def knows_commit(self, repository: Repository, sha: str) -> bool:
        return (_network(repository), sha) in self._commits or any(
            history.knows_commit(sha) for history in self.runs.histories[repository.id]
        )

    def pull_request(self, repository: Repository, number: int) -> PullRequest | None:
        mine = (pull for pull in self.pull_requests.values() if pull.repository is repository)
        return next((pull for pull in mine if pull.number == number), None)

    def add_head(self, pull: PullRequest, head: Commit) -> None:
        """Make `head` the newest commit of a pull request, which is remembered under every head it ever had."""
        pull.commits.append(head)
        self.pull_requests[pull.id] = pull
        there = self._pulls_by_head[pull.head_repository.id, head.sha]
        if pull not in there:
            there.append(pull)

    def pull_requests_of(self, run: WorkflowRun) -> list[PullRequest]:
        """Return the pull requests that `run` belongs to, closed ones and those from forks included."""
        pulls = self._pulls_by_head.get((run.head_repository.id, run.head.sha), [])
        return [pull for pull in pulls if pull.repository is run.repository]

    def pulls_that_had(self, repository: Repository, sha: str) -> list[PullRequest]:
        """Return a repository's pull requests, closed ones and those from forks included, whose head this once was."""
        mine = (pull for pull in self.pull_requests.values() if pull.repository is repository)
        return [pull for pull in mine if any(commit.sha == sha for commit in pull.commits)]

    def listed_pull_requests(self, run: WorkflowRun) -> list[PullRequest]:
        """Return what GitHub puts into a run's `pull_requests`: open ones, and never those from forks."""
        return [pull for pull in self.pull_requests_of(run) if pull.state == "open" and not pull.from_fork]

    def pulls_at(self, repository: Repository, sha: str) -> list[PullRequest]:
        """Return the open pull requests whose newest commit, on a branch of the repository itself, is this one."""
        pulls = self._pulls_by_head.get((repository.id, sha), [])
        return [pull for pull in pulls if pull.state == "open" and pull.head.sha == sha]

    def annotations_of(self, check: Job | CheckRun) -> list[Annotation]:
        """Return those of a check run; a job has what its steps put there and what GitHub notes on its end."""
        written = self.annotations.get(check.id, [])
        return written if isinstance(check, CheckRun) else [*written, *annotations_of(check)]

    def runner_for(self, labels: tuple[str, ...]) -> Runner:
        """Return a self-hosted runner that has all `labels`, else a fresh hosted one."""
        for runner in self.runners:
            if set(labels) <= set(runner.labels):
                return runner
        number = self.numbers.next("runner")
        return Runner(number, f"GitHub Actions {number}", 0, "GitHub Actions", labels)


def _network(repository: Repository) -> int:
    return repository.id if repository.parent is None else _network(repository.parent)


def _github_actions() -> App:
    """Return the App that check runs of workflow jobs belong to; these numbers are GitHub's own."""
    since = datetime(2018, 7, 30, 9, 30, 17, tzinfo=UTC)
    return App(
        id=15368,
        slug="github-actions",
        name="GitHub Actions",
        description="Automate your workflow from idea to production",
        owner=Account(9919, "github", "Organization", "GitHub", since),
        client_id="Iv1.05c79e9ad1f6bdfa",
        external_url="https://help.github.com/en/actions",
        permissions={"actions": "write", "checks": "write", "contents": "write", "metadata": "read"},
        events=("check_run", "check_suite", "pull_request", "push", "workflow_dispatch", "workflow_run"),
        created_at=since,
        hook=Hook(0, ""),
    )
