"""How one commit stands: the words in which the rest of this room speaks. Plain values, no decisions."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class Run(Struct, frozen=True, kw_only=True):
    """The newest attempt of a run.

    `pulls` are the numbers of the pull requests that GitHub lists for it, or where it lists none, those whose head it
    has run on. `ended_at` is when its newest attempt ended, as far as is known, None while it goes on.
    """

    run_id: int
    attempt: int
    workflow_id: int | None
    workflow_name: str
    workflow_path: str
    event: str | None
    status: str
    conclusion: str | None
    html_url: str | None
    head_branch: str | None
    began_at: datetime
    are_jobs_listed: bool = False
    """Whether GitHub's own list of this attempt's jobs is recorded."""
    head_repository_id: int | None = None
    pulls: tuple[int, ...] = ()
    created_at: datetime | None = None
    ended_at: datetime | None = None
    title: str | None = None
    has_jobs: bool = False
    """Whether any job is known of a run that ended badly though none of its jobs is known to have."""

    @property
    def is_done(self) -> bool:
        """Whether nothing goes on; a run that waits for approval arrives as completed with action_required."""
        return self.status == "completed"


class Job(Struct, frozen=True, kw_only=True):
    """A job as it stands now: of several attempts the newest that has it; `step` is the one that failed, if any.

    `in_set_up` tells that this step is the runner's own, before the first that the workflow asks for.
    """

    job_id: int
    run_id: int
    attempt: int
    name: str
    status: str
    conclusion: str | None
    html_url: str | None
    started_at: datetime | None
    completed_at: datetime | None
    step: str | None = None
    in_set_up: bool = False

    @property
    def has_failed(self) -> bool:
        return self.conclusion in {"failure", "timed_out", "startup_failure"}


class Source(StrEnum):
    """Where it was found why a job failed."""

    ANNOTATIONS = "annotations"
    LOG = "log"
    STEP = "step"


NO_LOG = "no log"
"""The kind of a failure of which GitHub says that it has no log, and nothing else that names a cause."""


class Failure(Struct, frozen=True, kw_only=True):
    """Why a job failed; `lines` (at most 20) hold the anchor, `further` are further anchors (at most 2).

    `fingerprint` is the same for the same failure anywhere; a generic one says nothing about the cause. `kind` is that
    of the rule which found the anchor (bot/domain/failures). `fingerprints` are those of all that the job said failed,
    which is more than one where several tests did; None where not all of it is known. `awaits_log` tells that GitHub
    has no log so far, and may merely be slow with it.
    """

    source: Source
    kind: str
    step: str | None
    test: str | None
    exit_code: int | None
    anchor: str | None
    lines: tuple[str, ...]
    further: tuple[str, ...]
    fingerprint: str
    is_generic: bool
    fingerprints: tuple[str, ...] | None = None
    awaits_log: bool = False

    @property
    def is_comparable(self) -> bool:
        """Whether it can be told of another failure that it is the same, or has all of this one in it."""
        return self.fingerprints is not None and not self.is_generic

    @property
    def has_no_log(self) -> bool:
        """Whether nothing is known of it because GitHub has no log: not where a log could not be read."""
        return self.source is Source.STEP and self.kind == NO_LOG


class Base(Struct, frozen=True):
    """How the base branch stands with the workflow and job that failed.

    `sha` is the newest commit of it on which the workflow has finished, or the one that fails alike, the pull request's
    own base among them; of the last `of` (at most 20) finished runs there, the job did not fail in `passed`.
    `fails_alike` tells that a run there has failed of the same, None that this is not known: for good where it
    `is_unclear`, since what the job said there does not tell all that failed, else until that has been looked into.
    `tolerates` tells that the workflow passed there although this very job failed (continue-on-error).
    """

    branch: str
    sha: str
    passed: int
    of: int
    fails_alike: bool | None
    tolerates: bool = False
    is_unclear: bool = False


class Evidence(Struct, frozen=True):
    """What is known about a failure from elsewhere: in this repository, of others in 14 days that it lies in.

    `others` are the numbers of pull requests of other authors with the same fingerprint, reverts left out, `authors` is
    how many those authors are. `base` is None where nothing there can be compared; `is_base_silent` tells that the
    workflow has run there all the same, before the time that counts or to no end. `lost_before` is in how many earlier
    attempts of a job whose runner was lost it was lost as well. `shared_by` is by how many other authors at least each
    thing was said that the job said; 0 where not all of that is known.
    """

    base: Base | None = None
    others: tuple[int, ...] = ()
    shared_by: int = 0
    lost_before: int = 0
    authors: int = 0
    is_base_silent: bool = False


class FailureClass(StrEnum):
    """Whose fault a failure is, as far as the evidence tells.

    A pending one is still being looked into; so many failed that an unseen one will not be.
    """

    NEW = "new"
    NO_BASE = "no base"
    PENDING = "pending"
    UNSEEN = "unseen"
    BASE = "base"
    FLAKY = "flaky"
    INFRA = "infra"

    @property
    def is_excused(self) -> bool:
        """Whether the pull request is not to blame; what is unknown never excuses."""
        return self in {FailureClass.BASE, FailureClass.FLAKY, FailureClass.INFRA}


class FailedJob(Struct, frozen=True):
    """A job that failed, in its run; `failure` is None while nobody has looked into it, or where nobody will."""

    job: Job
    run: Run
    failure: Failure | None
    evidence: Evidence
    failure_class: FailureClass

    def without_quotes(self) -> "FailedJob":
        """Return it without a line of the job's output: step, test and exit code are left."""
        if self.failure is None:
            return self
        return replace(self, failure=replace(self.failure, anchor=None, lines=(), further=()))


class Cause(Struct, frozen=True):
    """Failures that are the same: one fingerprint and one class, or the same job and step where it is not known.

    The first of `jobs` (never empty) speaks for them.
    """

    failure_class: FailureClass
    jobs: tuple[FailedJob, ...]

    @property
    def first(self) -> FailedJob:
        return self.jobs[0]

    @property
    def awaits_log(self) -> bool:
        """Whether it is not known whose it is only because a log may still come."""
        return self.failure_class is FailureClass.PENDING and all(
            each.failure is not None and each.failure.awaits_log for each in self.jobs
        )

    @property
    def blames(self) -> bool:
        """Whether nothing excuses it; it is too early to say so while a log is awaited."""
        return not (self.failure_class.is_excused or self.awaits_log)


class Flake(Struct, frozen=True):
    """A job that failed and passed on the same commit, which proves that it is flaky.

    `attempts` are the conclusions of its attempts in order; `times` is how often that happened to the job in 14 days,
    this time included.
    """

    job: Job
    run: Run
    attempts: tuple[tuple[int, str], ...]
    times: int


class Counts(Struct, frozen=True):
    """How many of the jobs that are known by now stand how; `cancelled` and `skipped` are neither passed nor failed.

    A tolerated job failed, and its run passed all the same (continue-on-error).
    """

    total: int = 0
    passed: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0
    tolerated: int = 0
    running: int = 0
    waiting: int = 0


class Conclusion(StrEnum):
    """GitHub's own words, https://docs.github.com/en/rest/checks/runs#create-a-check-run."""

    FAILURE = "failure"
    ACTION_REQUIRED = "action_required"
    CANCELLED = "cancelled"
    NEUTRAL = "neutral"
    SUCCESS = "success"


class Report(Struct, frozen=True, kw_only=True):
    """All that is told about one commit; the order of everything in it follows from what it is, never from arrival.

    `conclusion` is what it comes to, None while a run is going on, or it hangs on a log. `seconds_left` is an estimate,
    None where there is none, 0 where the time is over. `runs_without_jobs` are those that failed or were cancelled
    though no job of theirs is known to have, such as where the workflow file is wrong (startup_failure) and there are
    none.
    """

    repo_full_name: str
    html_url: str
    """Of the repository."""
    head_sha: str
    base_branch: str | None
    counts: Counts
    runs: tuple[Run, ...]
    causes: tuple[Cause, ...]
    flakes: tuple[Flake, ...]
    cancelled_jobs: tuple[Job, ...]
    runs_without_jobs: tuple[Run, ...]
    waiting_for_approval: tuple[Run, ...]
    conclusion: Conclusion | None
    seconds_left: int | None = None

    @property
    def is_finished(self) -> bool:
        return self.conclusion is not None

    @property
    def blames(self) -> bool:
        """Whether at least one failure is new or unclassified, or a run could not even begin."""
        failed = any(run.conclusion in {"failure", "startup_failure", "timed_out"} for run in self.runs_without_jobs)
        return failed or any(cause.blames for cause in self.causes)

    @property
    def awaiting_logs(self) -> int:
        """How many failed jobs there are of which it hangs on a log whose failures they are."""
        return sum(len(cause.jobs) for cause in self.causes if cause.awaits_log)


def first_failure(report: Report) -> datetime | None:
    """Return when the first of the jobs ended that have failed, None where none has."""
    ends = (each.job.completed_at for cause in report.causes for each in cause.jobs)
    return min((end for end in ends if end is not None), default=None)
