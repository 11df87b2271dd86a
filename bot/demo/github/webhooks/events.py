"""Tells every App that should hear of it what has happened: who hears, and the body of each event."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from bot.demo.github.payloads import accounts, actions, checks, pulls, repositories
from bot.demo.github.payloads.values import Json, timestamp
from bot.demo.github.state.accounts import Installation
from bot.demo.github.webhooks.deliveries import Delivery, Guids, sign

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.demo.github.state.accounts import Account, App
    from bot.demo.github.state.actions import Job, RunAttempt
    from bot.demo.github.state.checks import CheckRun, CheckSuite
    from bot.demo.github.state.repositories import Label, PullRequest, Repository
    from bot.demo.github.state.world import World

_USER_AGENT = "GitHub-Hookshot/5c1f0a9"


class Events:
    """Renders events and posts one delivery for each installation that sees the repository, to its App's hook."""

    def __init__(self, world: World, *, seed: int, post: Callable[[Delivery], None]) -> None:
        self._world = world
        self._guids = Guids(seed)
        self._post = post
        self._made = 0

    def workflow_run(self, action: str, attempt: RunAttempt, sender: Account) -> None:
        """Tell `requested`, `in_progress` or `completed`."""
        at, run = self._world.addresses, attempt.run

        def body() -> Json:
            listed = self._world.listed_pull_requests(run)
            return {
                "workflow_run": actions.workflow_run(at, attempt, listed),
                "workflow": actions.workflow(at, run.workflow),
            }

        self._of_repository("workflow_run", action, run.repository, sender, body)

    def workflow_job(self, action: str, job: Job, sender: Account) -> None:
        """Tell `queued`, `waiting`, `in_progress` or `completed`."""
        at = self._world.addresses

        def body() -> Json:
            told = {"workflow_job": actions.workflow_job(at, job)}
            if job.spec.environment:
                told["deployment"] = actions.deployment(at, job, self._world.github_actions)
            return told

        self._of_repository("workflow_job", action, job.run.repository, sender, body)

    def check_run(self, action: str, job: Job, sender: Account) -> None:
        """Tell `created` or `completed` of the check run that Actions made for a job."""

        def body() -> Json:
            listed = self._world.listed_pull_requests(job.run)
            at, annotations = self._world.addresses, len(self._world.annotations_of(job))
            return {"check_run": checks.check_run(at, job, self._world.github_actions, listed, annotations)}

        self._of_repository("check_run", action, job.run.repository, sender, body)

    def check_suite(self, action: str, attempt: RunAttempt, sender: Account) -> None:
        """Tell `completed` of the check suite that Actions made for a run."""
        run = attempt.run

        def body() -> Json:
            listed = self._world.listed_pull_requests(run)
            return {
                "check_suite": checks.check_suite(self._world.addresses, attempt, self._world.github_actions, listed),
            }

        self._of_repository("check_suite", action, run.repository, sender, body)

    def app_check_run(self, action: str, check: CheckRun, sender: Account, identifier: str | None = None) -> None:
        """Tell `created`, `completed`, `rerequested` or `requested_action` (with the button's `identifier`)."""

        def body() -> Json:
            at, pulls = self._world.addresses, self._world.pulls_at(check.repository, check.suite.head_sha)
            annotations = len(self._world.annotations_of(check))
            told = {"check_run": checks.app_check_run(at, check, pulls, annotations)}
            return told if identifier is None else {**told, "requested_action": {"identifier": identifier}}

        self._of_repository("check_run", action, check.repository, sender, body)

    def app_check_suite(self, action: str, suite: CheckSuite, sender: Account) -> None:
        """Tell `rerequested` of a suite of the App."""

        def body() -> Json:
            pulls = self._world.pulls_at(suite.repository, suite.head_sha)
            return {"check_suite": checks.app_check_suite(self._world.addresses, suite, pulls)}

        self._of_repository("check_suite", action, suite.repository, sender, body)

    def pull_request(
        self,
        action: str,
        pull: PullRequest,
        sender: Account,
        *,
        before: str | None = None,
        label: Label | None = None,
        more: Json | None = None,
    ) -> None:
        """Tell `opened`, `synchronize` (with the head `before`), `labeled` (with the label) and all the others.

        `more` are fields that an action brings of its own, such as `changes` of `edited` and `reason` of `dequeued`.
        """

        def body() -> Json:
            at = self._world.addresses
            moved = {} if before is None else {"before": before, "after": pull.head.sha}
            marked = {} if label is None else {"label": pulls.label(at, pull.repository, label)}
            return {
                "number": pull.number,
                "pull_request": pulls.pull_request(at, pull),
                **moved,
                **marked,
                **(more or {}),
            }

        self._of_repository("pull_request", action, pull.repository, sender, body)

    def repository(self, action: str, repository: Repository, sender: Account, changes: Json | None = None) -> None:
        """Tell `renamed`, `transferred`, `archived`, `deleted` …; `changes` says what it was before."""
        self._of_repository(
            "repository", action, repository, sender, lambda: {} if changes is None else {"changes": changes}
        )

    def installation(self, action: str, installation: Installation, sender: Account) -> None:
        """Tell `created`, `deleted`, `suspend` or `unsuspend`, whatever state the installation is in."""
        seen = [accounts.installation_repository(one) for one in installation.repositories.values()]
        listed: Json = {"repositories": seen} if action in {"created", "deleted"} else {}
        requester: Json = {"requester": None} if action == "created" else {}
        self._of_installation("installation", action, installation, sender, {**listed, **requester})

    def installation_repositories(
        self, action: str, installation: Installation, repositories: list[Repository], sender: Account
    ) -> None:
        """Tell `added` or `removed`."""
        changed = [accounts.installation_repository(one) for one in repositories]
        body = {
            "repository_selection": installation.repository_selection,
            "repositories_added": changed if action == "added" else [],
            "repositories_removed": changed if action == "removed" else [],
            "requester": None,
        }
        self._of_installation("installation_repositories", action, installation, sender, body)

    def installation_target(self, action: str, installation: Installation, sender: Account, changes: Json) -> None:
        """Tell `renamed` of the account that the App is installed on."""
        at, account = self._world.addresses, installation.account
        body: Json = {
            "changes": changes,
            "account": accounts.user(at, account),
            "target_type": account.type,
            "installation": accounts.simple_installation(installation),
            "organization": accounts.organization(at, account),
            "sender": accounts.user(at, sender),
        }
        self._make("installation_target", action, {"action": action, **body}, installation)

    def authorization_revoked(self, app: App, person: Account) -> None:
        """Tell that a person has withdrawn an App's authorization."""
        body = {"action": "revoked", "sender": accounts.user(self._world.addresses, person)}
        self._make("github_app_authorization", "revoked", body, app)

    def ping(self, app: App) -> None:
        """Tell that the hook is there, as GitHub does when an App is registered with a webhook."""
        hook = {
            "type": "App",
            "id": app.hook.id,
            "name": "web",
            "active": True,
            "events": list(app.events),
            "config": {
                "content_type": "json",
                "insecure_ssl": "0",
                "secret": "********",
                "url": app.hook.url or "",
            },
            "updated_at": timestamp(self._world.now()),
            "created_at": timestamp(self._world.now()),
            "app_id": app.id,
            "deliveries_url": f"{self._world.addresses.api}/app/hook/deliveries",
        }
        zen = "Keep it logically awesome."
        self._make("ping", None, {"zen": zen, "hook_id": app.hook.id, "hook": hook}, app)

    def _of_repository(
        self, event: str, action: str, repository: Repository, sender: Account, body: Callable[[], Json]
    ) -> None:
        """Render once and address it to each installation that sees the repository; nobody hears, nothing is made."""
        hearing = [one for one in self._world.installations.values() if one.sees(repository) and one.hears(event)]
        if not hearing:
            return
        at = self._world.addresses
        rendered = {"action": action, **body(), "repository": repositories.repository(at, repository)}
        if repository.owner.is_organization:
            rendered["organization"] = accounts.organization(at, repository.owner)
        rendered["sender"] = accounts.user(at, sender)
        for installation in hearing:
            addressed = {**rendered, "installation": accounts.simple_installation(installation)}
            self._make(event, action, addressed, installation, repository)

    def _of_installation(
        self, event: str, action: str, installation: Installation, sender: Account, body: Json
    ) -> None:
        at = self._world.addresses
        shown = accounts.installation(at, installation)
        whole = {"action": action, "installation": shown, **body, "sender": accounts.user(at, sender)}
        self._make(event, action, whole, installation)

    def _make(
        self,
        event: str,
        action: str | None,
        body: Json,
        to: Installation | App,
        repository: Repository | None = None,
    ) -> None:
        """Make a delivery of this moment of the clock, whatever moment of the past the body tells of."""
        installation, app = (to, to.app) if isinstance(to, Installation) else (None, to)
        made_at = self._world.timeline.clock.now()
        raw = json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        guid = str(self._guids.at(made_at))
        self._made += 1
        self._post(
            Delivery(
                number=self._made,
                guid=guid,
                hook=app.hook,
                event=event,
                action=action,
                installation_id=None if installation is None else installation.id,
                repository_id=None if repository is None else repository.id,
                made_at=made_at,
                headers=_headers(app, event, guid, raw),
                packed=zlib.compress(raw, 1),
            )
        )


def _headers(app: App, event: str, guid: str, raw: bytes) -> dict[str, str]:
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": _USER_AGENT,
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.hook.id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        **sign(app.hook.secret, raw),
    }
