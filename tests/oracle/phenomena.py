"""Names what occurs in a history and in its arrivals, so that a test can count that all of it does."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from uuid import UUID

from tests.oracle.shapes import Arrival, Change, Delivery, History, Key, RestSnapshot, key_of, subject

NO_RANK = ("requested", "pending", "waiting", "queued")


def log_of_each(history: History) -> Iterator[tuple[Key, list[Change]]]:
    """Return the changes of each attempt and job, in order."""
    logs: defaultdict[Key, list[Change]] = defaultdict(list)
    for change in history.log:
        logs[change.key].append(change)
    yield from logs.items()


def is_finished(change: Change) -> bool:
    """Tell whether an attempt or job is over; one at the approval gate is not."""
    return change.status == "completed" and change.conclusion != "action_required"


def phenomena(history: History, shuffles: list[list[Arrival]]) -> Iterator[str]:
    """Name what occurs in one history and its arrivals, once per occurrence."""
    for key, log in log_of_each(history):
        yield from run_seen(history, key, log) if key.kind == "attempt" else job_seen(log)
    yield from bodies_seen(history)
    for arrived in shuffles:
        yield from faults_seen(history, arrived)


def run_seen(history: History, key: Key, log: list[Change]) -> Iterator[str]:
    """Name what one attempt went through."""
    jobs = [job for job in history.truth.jobs.values() if (job["run_id"], job["run_attempt"]) == key[1:]]
    yield f"run {log[-1].conclusion}"
    if key.number > 1:
        yield "re-run"
    if log[-1].conclusion == "startup_failure" and not jobs:
        yield "startup failure without jobs"
    if log[0].conclusion == "action_required":
        yield "gate approved" if len(log) > 1 else "gate left"
        yield "gate approved and finished" if is_finished(log[-1]) else "gate unfinished"
    for one, two in pairwise(log):
        yield from run_steps_seen(one, two)


def run_steps_seen(one: Change, two: Change) -> Iterator[str]:
    """Name what two changes of an attempt, one after the other, show."""
    if one.updated_at == two.updated_at:
        yield "tie of updated_at"
        if {one.status, two.status} <= set(NO_RANK):
            yield "tie of updated_at and rank"
    elif is_finished(one):
        yield "updated_at moves after completion"
    if one.status == "in_progress" and two.status in NO_RANK:
        yield "run falls back"


def job_seen(log: list[Change]) -> Iterator[str]:
    """Name what one job went through."""
    yield f"job {log[-1].conclusion}"
    yield from (f"job {change.status}" for change in log)
    yield from ("queued waits again" for one, two in pairwise(log) if (one.status, two.status) == ("queued", "waiting"))


def bodies_seen(history: History) -> Iterator[str]:
    """Name what the bodies of the deliveries show."""
    before: dict[Key, Delivery] = {}
    for delivery in history.deliveries:
        was = before.get(key_of(delivery))
        before[key_of(delivery)] = delivery
        yield from run_body_seen(delivery) if delivery.event == "workflow_run" else ()
        yield from changes_seen(was, delivery) if was is not None else ()
    if history.deliveries and UUID(history.deliveries[0].guid).version == 4:
        yield "GUIDs without time"
    yield from carried_seen(history)
    yield from ("thin body" for _ in history.thin)
    yield from ("silent end" for _ in history.silent)


def run_body_seen(delivery: Delivery) -> Iterator[str]:
    """Name what the body of one run shows."""
    shown = subject(delivery)
    here = shown["repository"]["id"]
    if any(entry["base"]["repo"]["id"] != here for entry in shown["pull_requests"]):
        yield "pull request of elsewhere"
    if (head := shown.get("head_repository")) is not None:
        yield "own branch" if head["id"] == here else "fork"


def carried_seen(history: History) -> Iterator[str]:
    """Name each successful job that stands in an earlier attempt too, with the same times."""
    seen: dict[tuple[object, ...], int] = {}
    for job in sorted(history.truth.jobs.values(), key=lambda job: int(job["run_attempt"])):
        same = (job["run_id"], job["name"], job["started_at"], job["completed_at"])
        if job["conclusion"] == "success" and seen.setdefault(same, job["run_attempt"]) < job["run_attempt"]:
            yield "carried-over job"


def changes_seen(was: Delivery, now: Delivery) -> Iterator[str]:
    """Name what two deliveries of one attempt or job, one after the other, show."""
    old, new = subject(was), subject(now)
    if now.event == "workflow_job":
        if old["runner_name"] is not None and new["runner_name"] is None:
            yield "null replaces a runner"
        if old == new and was.body["action"] != now.body["action"]:
            yield "waiting and queued with identical jobs"
    else:
        if old["conclusion"] is not None and new["conclusion"] is None:
            yield "null replaces a conclusion"
        if len(old["pull_requests"]) != len(new["pull_requests"]):
            yield "pull requests come" if new["pull_requests"] else "pull requests go"


def faults_seen(history: History, arrived: list[Arrival]) -> Iterator[str]:
    """Name what happened on the way."""
    told = [arrival for arrival in arrived if isinstance(arrival, Delivery)]
    guids = {delivery.guid for delivery in told}
    if len(guids) < len(told):
        yield "duplicate"
    if [delivery.made_at for delivery in told] != sorted(delivery.made_at for delivery in told):
        yield "shuffle"
    if not guids:
        yield "nothing but REST"
    yield from rest_seen(history, arrived, guids)


def rest_seen(history: History, arrived: list[Arrival], guids: set[str]) -> Iterator[str]:
    """Name what REST had to tell; `guids` are those of the deliveries that arrived."""
    read = {id(arrival) for arrival in arrived if isinstance(arrival, RestSnapshot)}
    last = {key_of(delivery): delivery.guid for delivery in history.deliveries}
    if any(id(shot) in read and last.get(key_of(shot), "") not in guids for shot in history.rest):
        yield "lost tail with REST"
    if any(id(shot) in read for shot in history.early_rest):
        yield "stale REST snapshot"
    if any(isinstance(arrival, RestSnapshot) and arrival.kind == "attempt" for arrival in arrived):
        yield "REST of an earlier attempt"
    known = {key_of(shot) for shot in history.rest if id(shot) in read}
    if any(delivery.guid not in guids and key_of(delivery) not in known for delivery in history.deliveries):
        yield "loss that needs no REST"
