"""How a run, an attempt and a job live: GitHub's real transitions, one per `yield`.

Left out, because the ordering rule would answer wrongly (a self-test shows each of them):

* A run that falls back from in_progress to waiting or queued within one whole second: `updated_at` ties, the
  rank prefers in_progress, and the rule answers in_progress until `updated_at` moves. Here a fall-back always
  opens a new second.
* A job that falls back from in_progress to queued, as when its runner is lost: a job has no `updated_at`, so its
  rank alone decides and the rule answers in_progress until the job is completed. Here no job's rank goes back.
* A REST snapshot in the very second of an earlier delivery that shows other facts at the same `updated_at` and
  rank: `Date` is cut to the second, so the older delivery seems newer. Here a REST snapshot is in a later second.
"""

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Literal

from tests.oracle import bodies
from tests.oracle.bodies import SECOND, stamp
from tests.oracle.plans import AttemptPlan
from tests.oracle.shapes import Body

if TYPE_CHECKING:
    from tests.oracle.github import GitHub, Thing

Fate = Literal["success", "failure", "cancelled", "cancelled_unstarted", "timed_out", "skipped"]
_STEP_NAMES = ["Set up job", "Run actions/checkout@v5", "Run tests", "Complete job"]


class Run:
    """A run: what never changes in it, what its attempts share, and its plan."""

    def __init__(self, github: "GitHub", number: int, plan: list[AttemptPlan]) -> None:
        rng = github.rng
        self.plan = plan
        self.is_fork = rng.random() < 0.2
        head = github.fork if self.is_fork else github.repo
        flow, actor = rng.choice(github.flows), rng.choice(github.people)
        self.identity = bodies.run(rng, github.new_id(), number, flow, github.repo, head, actor, github.now)
        self.all_pull_requests = [] if self.is_fork else self.invented(github, head)
        self.listed: list[Body] = []

    def invented(self, github: "GitHub", head: Body) -> list[Body]:
        """Invent the pull requests of the head; one of them may go to another repository."""
        sha, number = self.identity["head_sha"], github.rng.randrange(1, 500)
        into = [github.repo] * github.rng.randrange(3) + [github.upstream] * github.rng.randrange(2)
        return [bodies.pull_request(number + n, sha, head, base) for n, base in enumerate(into)]

    def pull_requests(self, github: "GitHub") -> list[Body]:
        """List pull requests as GitHub does: late, and no longer once they are closed."""
        if self.listed and github.rng.random() < 0.06:
            self.listed = self.all_pull_requests = []
        elif github.rng.random() < 0.5:
            self.listed = self.all_pull_requests
        return self.listed


def run_life(github: "GitHub", run: Run) -> Iterator[None]:
    """Live through the attempts; only what has finished can be re-run."""
    before: list[Thing] = []
    for number, plan in enumerate(run.plan, 1):
        attempt = start_attempt(github, run, number)
        jobs: list[Thing] = []
        yield from attempt_life(github, run, attempt, plan, before, jobs)
        if not is_finished(attempt.state):
            return
        before = jobs
        github.now += github.rng.choice((0, SECOND, 3600 * SECOND, 7 * 3600 * SECOND))


def is_finished(state: Body) -> bool:
    return bool(state["status"] == "completed" and state["conclusion"] != "action_required")


def start_attempt(github: "GitHub", run: Run, number: int) -> "Thing":
    began: Body = {"run_attempt": number}
    if number > 1:
        began |= {"run_started_at": stamp(github.now), "triggering_actor": github.rng.choice(github.people)}
    return github.add({**run.identity, **began})


def turn(github: "GitHub", run: Run, attempt: "Thing", action: str | None, status: str, ended: str | None) -> None:
    """Bring an attempt to another status; the list of pull requests moves only with what a delivery shows."""
    facts: Body = {"status": status, "conclusion": ended}
    if action:
        facts["pull_requests"] = run.pull_requests(github)
    github.change(attempt, action, **facts)
    if action and github.rng.random() < 0.05:
        github.tell(attempt, action)


def attempt_life(
    github: "GitHub", run: Run, attempt: "Thing", plan: AttemptPlan, before: list["Thing"], jobs: list["Thing"]
) -> Iterator[None]:
    """Live from requested to completed, or to where the gate keeps it; `jobs` receives its jobs."""
    if plan.gate != "none":
        turn(github, run, attempt, github.rng.choice(("completed", "requested")), "completed", "action_required")
        yield
        if plan.gate == "left":
            return
    yield from queue_up(github, run, attempt)
    if plan.ending in {"startup_failure", "cancelled_early"}:
        turn(github, run, attempt, "completed", "completed", plan.ending.removesuffix("_early"))
    else:
        yield from work(github, run, attempt, plan, before, jobs)
        turn(github, run, attempt, "completed", "completed", plan.ending)
    yield
    if github.rng.random() < 0.25:
        # Deleting logs or artifacts, say, moves updated_at and nothing else, and no delivery tells.
        github.change(attempt, None)
        yield


def queue_up(github: "GitHub", run: Run, attempt: "Thing") -> Iterator[None]:
    """Go through the states in which nothing runs yet; only the first is sure to be told."""
    path = [status for status in ("requested", "pending", "waiting") if github.rng.random() < 0.3] + ["queued"]
    for n, status in enumerate(path):
        told = "requested" if n == 0 or github.rng.random() < 0.5 else None
        turn(github, run, attempt, told, status, None)
        yield


def work(
    github: "GitHub", run: Run, attempt: "Thing", plan: AttemptPlan, before: list["Thing"], jobs: list["Thing"]
) -> Iterator[None]:
    """Let the jobs live side by side; some are there before the run itself is in progress."""
    lives = list(job_lives(github, attempt, plan, before, jobs))
    for _ in range(github.rng.randrange(3)):
        if lives:
            github.advance(lives)
            yield
    turn(github, run, attempt, "in_progress", "in_progress", None)
    yield
    # A run goes stale when its jobs never get to their end.
    patience = github.rng.randrange(3) if plan.ending == "stale" else -1
    while lives and patience:
        github.advance(lives)
        yield
        yield from between_jobs(github, run, attempt)
        patience -= 1


def between_jobs(github: "GitHub", run: Run, attempt: "Thing") -> Iterator[None]:
    """Sometimes only touch the run, sometimes let it fall back until its next job may run."""
    luck = github.rng.random()
    if luck < 0.1:
        github.change(attempt, None)
        yield
    elif luck < 0.17:
        github.next_second()
        turn(github, run, attempt, None, github.rng.choice(("waiting", "queued", "pending")), None)
        yield
        turn(github, run, attempt, github.rng.choice((None, "in_progress")), "in_progress", None)
        yield


def job_lives(
    github: "GitHub", attempt: "Thing", plan: AttemptPlan, before: list["Thing"], jobs: list["Thing"]
) -> Iterator[Iterator[None]]:
    """Make the lives of an attempt's jobs: all new, or with the successful ones of the attempt before."""
    carried = [old.state for old in before if old.state["conclusion"] == "success"] if plan.failed_only else []
    for old in carried:
        yield carried_life(github, attempt, old, jobs)
    taken = {old["name"] for old in carried}
    names = (name for name in (f"job {n}" for n in count(1)) if name not in taken)
    for fate, name in zip(fates(github, plan, len(carried)), names, strict=False):
        yield job_life(github, attempt, name, fate, plan.environment, jobs)


def fates(github: "GitHub", plan: AttemptPlan, carried: int) -> list[Fate]:
    """Choose how the jobs that are not carried end, so that together they make the run's conclusion."""
    kinds: dict[str, tuple[Fate, ...]] = {
        "success": ("success", "success", "skipped"),
        "failure": ("failure", "success", "skipped"),
        "timed_out": ("timed_out", "success", "cancelled"),
        "cancelled": ("cancelled", "cancelled_unstarted", "success"),
        "stale": ("success", "failure"),
        "skipped": ("skipped",),
    }
    kind = kinds[plan.ending]
    return [kind[0], *github.rng.choices(kind, k=max(0, plan.jobs - carried - 1))]


def add_job(github: "GitHub", attempt: "Thing", name: str, jobs: list["Thing"], **facts: object) -> "Thing":
    labels = github.rng.choice((["ubuntu-latest"], ["self-hosted", "linux"], []))
    job = github.add({**bodies.job(github.new_id(), name, attempt.state, labels, github.now), **facts})
    jobs.append(job)
    return job


def carried_life(github: "GitHub", attempt: "Thing", old: Body, jobs: list["Thing"]) -> Iterator[None]:
    """Show a successful job of the attempt before once more: its times and steps, under a new id."""
    kept = {field: old[field] for field in ("started_at", "completed_at", "steps", "labels", *no_runner())}
    job = add_job(github, attempt, old["name"], jobs, **kept)
    github.change(job, "completed", status="completed", conclusion="success")
    yield


def job_life(
    github: "GitHub", attempt: "Thing", name: str, fate: Fate, environment: bool, jobs: list["Thing"]
) -> Iterator[None]:
    """Live from queued to completed; a skipped job is only ever seen completed."""
    job = add_job(github, attempt, name, jobs)
    if fate == "skipped":
        # GitHub often has skipped jobs end a second before they start.
        ended = stamp(github.now - github.rng.choice((0, SECOND)))
        github.change(job, "completed", status="completed", conclusion="skipped", completed_at=ended)
        yield
        return
    yield from job_wait(github, job, environment)
    if fate == "cancelled_unstarted":
        complete(github, job, "cancelled", no_runner())
        yield
        return
    yield from job_run(github, job, fate)


def job_wait(github: "GitHub", job: "Thing", environment: bool) -> Iterator[None]:
    """Wait for an environment or a runner: waiting and queued take turns, a runner may be given and taken."""
    for _ in range(github.rng.randrange(1, 4) if environment else 0):
        # Either action is sent for the one state, or both in either order with identical jobs inside.
        actions = github.rng.sample(("waiting", "queued"), github.rng.randrange(1, 3))
        github.change(job, actions[0], status="waiting", **no_runner())
        for action in actions[1:]:
            github.tell(job, action)
        yield
        if github.rng.random() < 0.6:
            github.change(job, "queued", status="queued", **runner(github))
            yield
    given = runner(github) if github.rng.random() < 0.4 else no_runner()
    github.change(job, "queued", status="queued", **given)
    yield


def job_run(github: "GitHub", job: "Thing", fate: Fate) -> Iterator[None]:
    """Run the steps; their progress is told by no delivery, and the last may settle after the job."""
    github.tick()
    begun = github.now
    facts = {"started_at": stamp(begun), **runner(github)}
    github.change(job, "in_progress", status="in_progress", steps=bodies.steps(_STEP_NAMES, begun, 0, None), **facts)
    yield
    if github.rng.random() < 0.3:
        github.change(job, None, steps=bodies.steps(_STEP_NAMES, begun, 2, None))
        yield
    settled = bodies.steps(_STEP_NAMES, begun, len(_STEP_NAMES), fate)
    is_late = github.rng.random() < 0.15
    early = bodies.steps(_STEP_NAMES, begun, len(_STEP_NAMES) - 1, None)
    complete(github, job, fate, {"steps": early if is_late else settled})
    yield
    if is_late:
        github.change(job, None, steps=settled)
        yield


def complete(github: "GitHub", job: "Thing", conclusion: str, facts: Body) -> None:
    ended = stamp(github.now)
    github.change(job, "completed", status="completed", conclusion=conclusion, completed_at=ended, **facts)


def runner(github: "GitHub") -> Body:
    id = github.rng.randrange(1, 30)
    return {
        "runner_id": id,
        "runner_name": f"GitHub Actions {id}",
        "runner_group_id": 2,
        "runner_group_name": "GitHub Actions",
    }


def no_runner() -> Body:
    return dict.fromkeys(("runner_id", "runner_name", "runner_group_id", "runner_group_name"))
