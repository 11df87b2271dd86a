"""What the App does with its own check runs, and what people do with them.

https://docs.github.com/en/rest/guides/using-the-rest-api-to-interact-with-checks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.operations.refusal import Refused
from bot.demo.github.state.accounts import reaches
from bot.demo.github.state.checks import CheckRun, CheckSuite

if TYPE_CHECKING:
    from bot.demo.github.state.accounts import Account, App
    from bot.demo.github.state.repositories import Repository
    from bot.demo.github.state.world import World
    from bot.demo.github.webhooks.events import Events


class Checks:
    """Operations on check runs of Apps; those of workflow jobs follow from the jobs."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = events

    def create(self, repository: Repository, name: str, head_sha: str, *, app: App | None = None) -> CheckRun:
        """Begin a check run of an App (by default the newest) on a commit, queued.

        `tell_created` is for when it is filled in.
        """
        suite = self.suite_of(repository, head_sha, app=app)
        number = self._world.numbers.next("job")
        check = CheckRun(number, suite, name, "queued", started_at=self._world.now())
        suite.check_runs.append(check)
        self._world.check_runs[number] = check
        return check

    def suite_of(self, repository: Repository, head_sha: str, *, app: App | None = None) -> CheckSuite:
        """Return the App's suite for a commit, which is made if there is none."""
        owner = app or self._world.app
        for suite in self._world.check_suites.values():
            if suite.repository is repository and suite.head_sha == head_sha and suite.app is owner:
                return suite
        now, number = self._world.now(), self._world.numbers.next("check_suite")
        branch = next((name for name, tip in repository.branches.items() if tip.sha == head_sha), None)
        suite = CheckSuite(number, owner, repository, branch, head_sha, now, now)
        self._world.check_suites[number] = suite
        return suite

    def tell_created(self, check: CheckRun) -> None:
        """Tell that a check run was made, and that it is completed if it is."""
        self._events.app_check_run("created", check, check.app.as_account())
        if check.status == "completed":
            self.tell_completed(check)

    def tell_completed(self, check: CheckRun) -> None:
        self._events.app_check_run("completed", check, check.app.as_account())

    def rerequest(self, check: CheckRun, sender: Account) -> None:
        """Press "Re-run" on a check run of the App, which is there only for those who may write."""
        self._refuse_readers(check.suite, sender)
        self._events.app_check_run("rerequested", check, sender)

    def rerequest_suite(self, suite: CheckSuite, sender: Account) -> None:
        """Press "Re-run all checks", which is there only for those who may write."""
        self._refuse_readers(suite, sender)
        self._events.app_check_suite("rerequested", suite, sender)

    def request_action(self, check: CheckRun, identifier: str, sender: Account) -> None:
        """Press one of the buttons that a finished check run shows to those who may write.

        KeyError when it has none of that identifier.
        """
        self._refuse_readers(check.suite, sender)
        if identifier not in {button.identifier for button in check.actions}:
            raise KeyError(identifier)
        if check.status != "completed":
            raise Refused(422, "Buttons are shown when a check run is completed")
        self._events.app_check_run("requested_action", check, sender, identifier)

    def _refuse_readers(self, suite: CheckSuite, sender: Account) -> None:
        is_ours = sender.id == suite.app.as_account().id
        if not is_ours and not reaches(self._world.role_of(sender, suite.repository), "write"):
            raise Refused(403, f"{sender.login} may not write to {suite.repository.full_name}")
