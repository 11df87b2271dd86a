"""Check runs, of the App and of workflow jobs.

https://docs.github.com/en/rest/checks/runs
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.demo.github.payloads import checks
from bot.demo.github.rest.answers import Answer, Failure, invalid, not_found
from bot.demo.github.rest.comments import refuse_archived
from bot.demo.github.rest.fields import Fields
from bot.demo.github.rest.paging import paged
from bot.demo.github.state.actions import Job
from bot.demo.github.state.checks import Annotation, Button, CheckRun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.demo.github.payloads.values import Json
    from bot.demo.github.rest.asking import Ask

LONGEST_TEXT = 65_535
MOST_ANNOTATIONS = 50
MOST_BUTTONS = 3
_STATUSES = ("queued", "in_progress", "completed", "waiting", "requested", "pending")
_CONCLUSIONS = (
    "action_required",
    "cancelled",
    "failure",
    "neutral",
    "success",
    "skipped",
    "stale",
    "timed_out",
)
_LEVELS = ("notice", "warning", "failure")


def create(ask: Ask) -> Answer:
    """Create a check run of the App on a commit that the repository knows."""
    repository, fields = ask.repository(), Fields(ask.body)
    refuse_archived(repository)
    name, sha = fields.required_text("name"), fields.required_text("head_sha")
    if not ask.world.knows_commit(repository, sha):
        raise Failure(422, f"No commit found for SHA: {sha}")
    draft = _Draft(fields)
    check = ask.github.checks.create(repository, name, sha, app=ask.token.installation.app)
    draft.write(ask, check)
    ask.github.rest.journal.note("create", check, ask.token.installation.app.slug, ask.body)
    ask.github.checks.tell_created(check)
    shown = render(ask, check)
    return Answer(201, shown, {"Location": shown["url"]})


def update(ask: Ask) -> Answer:
    """Change a check run of the App; annotations are added to those that it has."""
    check = find(ask)
    refuse_archived(check.run.repository if isinstance(check, Job) else check.repository)
    app = ask.token.installation.app
    if isinstance(check, Job) or check.app is not app:
        raise Failure(
            403, f"Invalid app_id `{app.id}` - check run can only be modified by the GitHub App that created it."
        )
    fields = Fields(ask.body)
    name = fields.text("name")
    draft = _Draft(fields)
    done = check.status == "completed"
    if done and draft.status not in {None, "completed"}:
        raise invalid("A completed check run cannot be reopened.")
    before = ask.github.rest.journal.look(check)
    check.name = name or check.name
    draft.write(ask, check)
    ask.github.rest.journal.note("edit", check, app.slug, ask.body, before)
    if check.status == "completed" and not done:
        ask.github.checks.tell_completed(check)
    return Answer(200, render(ask, check))


def get(ask: Ask) -> Answer:
    """Answer with a check run."""
    return Answer(200, render(ask, find(ask)))


def list_annotations(ask: Ask) -> Answer:
    """Answer with the remarks that a check run makes on lines of files."""
    check = find(ask)
    repository, sha = _where(check)
    return paged(
        ask,
        ask.world.annotations_of(check),
        lambda one: checks.annotation(ask.addresses, repository, sha, one),
    )


def list_for_ref(ask: Ask) -> Answer:
    """Answer with the check runs of a commit, newest first; `filter=latest` keeps one of each name and App."""
    sha = _resolve(ask)
    wanted, name = ask.choice("filter", ("latest", "all"), "latest"), ask.query.get("check_name")
    status, app = ask.query.get("status"), ask.query.get("app_id")
    found = []
    for check in sorted(_checks_at(ask, sha), key=lambda one: one.id, reverse=True):
        owner = ask.world.github_actions if isinstance(check, Job) else check.app
        if name in {None, check.name} and status in {None, check.status} and app in {None, str(owner.id)}:
            found.append((owner.id, check))
    if wanted == "latest":
        found = list({(owner, check.name): (owner, check) for owner, check in reversed(found)}.values())[::-1]
    return paged(ask, found, lambda one: render(ask, one[1]), "check_runs")


def rerequest_suite(ask: Ask) -> Answer:
    """Ask the App to run a suite of its own again, as pressing the button does."""
    repository, suite = ask.repository(), ask.world.check_suites.get(ask.number("check_suite_id"))
    if suite is None or suite.repository is not repository:
        raise not_found()
    ask.github.checks.rerequest_suite(suite, ask.token.installation.app.as_account())
    return Answer(201, {})


def find(ask: Ask) -> CheckRun | Job:
    """Return the check run that the path names, which may be that of a workflow job."""
    repository, number = ask.repository(), ask.number("check_run_id")
    found = ask.world.check_runs.get(number) or ask.world.runs.find_job(number)
    if found is None or _where(found)[0] is not repository:
        raise not_found()
    return found


def render(ask: Ask, check: CheckRun | Job) -> Json:
    """Render a check run, whosever it is."""
    annotations = len(ask.world.annotations_of(check))
    if isinstance(check, CheckRun):
        pulls = ask.world.pulls_at(check.repository, check.suite.head_sha)
        shown = checks.app_check_run(ask.addresses, check, pulls, annotations)
    else:
        pulls = ask.world.listed_pull_requests(check.run)
        shown = checks.check_run(ask.addresses, check, ask.world.github_actions, pulls, annotations)
    return {**shown, "check_suite": {"id": shown["check_suite"]["id"]}}


def _where(check: CheckRun | Job) -> tuple[Any, str]:
    if isinstance(check, Job):
        return check.run.repository, check.run.head.sha
    return check.repository, check.suite.head_sha


def _resolve(ask: Ask) -> str:
    """Return the commit that a SHA or the name of a branch stands for."""
    repository, ref = ask.repository(), ask.path["ref"]
    branch = repository.branches.get(ref.removeprefix("refs/").removeprefix("heads/"))
    sha = ref if branch is None else branch.sha
    if not ask.world.knows_commit(repository, sha):
        raise Failure(422, f"No commit found for SHA: {ref}")
    return sha


def _checks_at(ask: Ask, sha: str) -> Iterator[CheckRun | Job]:
    repository = ask.repository()
    for suite in ask.world.check_suites.values():
        if suite.repository is repository and suite.head_sha == sha:
            yield from suite.check_runs
    for run in ask.world.runs.at_commit(repository, sha):
        yield from run.jobs


class _Draft:
    """The fields of a check run as they were sent, checked before anything is changed."""

    def __init__(self, fields: Fields) -> None:
        self.status = fields.choice("status", _STATUSES)
        self.conclusion = fields.choice("conclusion", _CONCLUSIONS)
        self.started_at = fields.moment("started_at")
        self.completed_at = fields.moment("completed_at")
        self.details_url = fields.text("details_url")
        self.external_id = fields.text("external_id")
        self.output = fields.object("output")
        self.annotations: list[Annotation] = []
        if self.output is not None:
            self._read_output(self.output)
        sent = fields.objects("actions", MOST_BUTTONS)
        self.actions = None if sent is None else [_button(one) for one in sent]
        fields.done()
        if self.status == "completed" and self.conclusion is None:
            raise invalid('"conclusion" wasn\'t supplied.')

    def _read_output(self, output: Fields) -> None:
        self.title = output.text("title")
        self.summary = output.text("summary", required=True, most=LONGEST_TEXT)
        self.text = output.text("text", most=LONGEST_TEXT)
        self.annotations = [_annotation(one) for one in output.objects("annotations", MOST_ANNOTATIONS) or ()]
        output.objects("images", MOST_ANNOTATIONS)
        output.done()

    def write(self, ask: Ask, check: CheckRun) -> None:
        """Put what was sent into a check run; a conclusion or an end completes it."""
        check.details_url = self.details_url or check.details_url
        check.external_id = self.external_id or check.external_id
        check.started_at = self.started_at or check.started_at
        check.conclusion = self.conclusion or check.conclusion
        if self.conclusion is not None:
            check.status = "completed"
            check.completed_at = self.completed_at or ask.world.now()
        elif self.status is not None:
            check.status = "in_progress" if self.status == "in_progress" else "queued"
        if self.output is not None:
            check.title, check.summary, check.text = self.title, self.summary, self.text
            ask.world.annotations[check.id].extend(self.annotations)
        if self.actions is not None:
            check.actions = self.actions
        check.suite.updated_at = ask.world.now()


def _annotation(fields: Fields) -> Annotation:
    path, message = fields.required_text("path"), fields.required_text("message", most=LONGEST_TEXT)
    first, last = fields.number("start_line", required=True) or 0, fields.number("end_line", required=True) or 0
    columns = fields.number("start_column"), fields.number("end_column")
    if first != last and columns != (None, None):
        raise invalid("Columns are only allowed where start_line and end_line are the same.")
    level = fields.choice("annotation_level", _LEVELS)
    if level is None:
        raise invalid('"annotation_level" wasn\'t supplied.')
    title, details = fields.text("title", most=255), fields.text("raw_details", most=LONGEST_TEXT)
    fields.done()
    return Annotation(path, first, last, level, message, title, details, *columns)


def _button(fields: Fields) -> Button:
    label = fields.required_text("label", most=20)
    description = fields.required_text("description", most=40)
    button = Button(label, description, fields.required_text("identifier", most=20))
    fields.done()
    return button
