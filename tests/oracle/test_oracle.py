"""The oracle's own tests: the model does only what GitHub does, shows all it should, and the rule can reach it."""

import ast
import json
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.oracle import (
    Arrival,
    Delivery,
    History,
    Key,
    RestSnapshot,
    Truth,
    arrival_times,
    arrivals,
    histories,
    key_of,
    ordered,
    subject,
)
from tests.oracle.bodies import JOB_FIELDS, RUN_FIELDS, SECOND, moment, stamp
from tests.oracle.faults import links
from tests.oracle.guids import timed_guid
from tests.oracle.phenomena import is_finished, log_of_each, phenomena
from tests.oracle.shapes import EventName

RANK = dict.fromkeys(("requested", "pending", "waiting", "queued"), 0) | {"in_progress": 1, "completed": 2}
MUTABLE_OF_RUN = ("status", "conclusion", "updated_at")
MUTABLE_OF_JOB = ("status", "conclusion", "started_at", "completed_at", "runner_name", "runner_group_name", "steps")
SHUFFLES = 3
NOON = 1_793_620_800 * SECOND
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

Version = tuple[Any, ...]
Story = tuple[History, list[list[Arrival]]]


# The reference fold: the ordering rule, written once more and as plainly as can be.


def made_ticks(arrival: Arrival) -> int:
    """Return when a snapshot was made, as 100 ns since the Gregorian reform, from Date or GUID (0: not in it)."""
    if isinstance(arrival, Delivery):
        guid = uuid.UUID(arrival.guid)
        return guid.time if guid.version == 1 else 0
    return int(arrival.date.timestamp()) * 10_000_000 + 0x01B21DD213814000


def version(arrival: Arrival) -> Version:
    """Return what a snapshot is compared by."""
    shown, is_job = subject(arrival), "run_id" in subject(arrival)
    gate = shown["conclusion"] == "action_required"
    rank = 0 if gate else RANK[shown["status"]]
    digest = json.dumps([shown[field] for field in (MUTABLE_OF_JOB if is_job else MUTABLE_OF_RUN)])
    if is_job:
        return rank, made_ticks(arrival), digest
    return rank == 2, shown["updated_at"], rank, made_ticks(arrival), digest


def fold(arrived: Iterable[Arrival], version: Callable[[Arrival], Version] = version) -> Truth:
    """Apply arrivals one by one, in the order in which they come."""
    newest: dict[Key, tuple[Version, dict[str, Any]]] = {}
    fixed: defaultdict[Key, dict[str, Any]] = defaultdict(dict)
    linked: defaultdict[int, set[int]] = defaultdict(set)
    for arrival in arrived:
        key, shown, its = key_of(arrival), subject(arrival), version(arrival)
        mutable = MUTABLE_OF_JOB if key.kind == "job" else MUTABLE_OF_RUN
        if key not in newest or its > newest[key][0]:
            newest[key] = its, {field: shown[field] for field in mutable}
        for field in JOB_FIELDS if key.kind == "job" else RUN_FIELDS:
            if field not in mutable and shown.get(field) is not None:
                fixed[key].setdefault(field, shown[field])
        for run_id, number in links(arrival):
            linked[run_id].add(number)
    rows = {key: fixed[key] | facts for key, (_, facts) in sorted(newest.items())}
    attempts = {(key.id, key.number): row for key, row in rows.items() if key.kind == "attempt"}
    runs = dict(sorted(attempts))
    jobs = {key.id: row for key, row in rows.items() if key.kind == "job"}
    return Truth(runs, attempts, jobs, {run_id: frozenset(linked[run_id]) for run_id in runs})


def stories() -> st.SearchStrategy[Story]:
    """Draw a history together with several ways in which it arrives."""
    return histories().flatmap(
        lambda history: st.tuples(st.just(history), st.lists(arrivals(history), min_size=SHUFFLES, max_size=SHUFFLES))
    )


@cache
def sample(count: int = 1000) -> list[Story]:
    """Draw a thousand stories once, to count and to compare with.

    Which they are changes with any constant of the code under test, which hypothesis draws from as well; of the rarest
    kind there are some fifteen.
    """
    drawn: list[Story] = []

    @settings(relaxed, max_examples=count, derandomize=True, database=None, phases=[Phase.generate])
    @given(stories())
    def draw(story: Story) -> None:
        drawn.append(story)

    draw()
    return drawn


@settings(relaxed, max_examples=500)
@given(stories())
def test_every_arrival_ends_in_the_truth(story: Story) -> None:
    history, shuffles = story
    assert fold(ordered(history)) == history.truth
    for arrived in shuffles:
        assert fold(arrived) == history.truth


WRONG_RULES: dict[str, Callable[[Arrival], Version]] = {
    "without updated_at": lambda a: version(a)[:1] + version(a)[2:] if len(version(a)) == 5 else version(a),
    "without made_at": lambda a: (*version(a)[:-2], version(a)[-1]),
    "without finished and rank": lambda a: (version(a)[1], *version(a)[3:]) if len(version(a)) == 5 else version(a),
    "without rank of jobs": lambda a: version(a)[1:] if len(version(a)) == 3 else version(a),
    "a gate counts as finished": lambda a: (subject(a)["status"] == "completed", *version(a)),
    "the first wins": lambda _: (),
}


@pytest.mark.parametrize("name", WRONG_RULES)
def test_a_wrong_rule_is_found_out(name: str) -> None:
    rule = WRONG_RULES[name]
    assert any(fold(arrived, rule) != history.truth for history, shuffles in sample() for arrived in shuffles)


def test_the_last_to_arrive_must_not_win() -> None:
    def last_wins(arrived: list[Arrival]) -> Truth:
        places = {id(arrival): place for place, arrival in enumerate(arrived)}
        return fold(arrived, lambda arrival: (places[id(arrival)],))

    assert any(last_wins(arrived) != history.truth for history, shuffles in sample() for arrived in shuffles)


# What the model leaves out, because the rule would answer wrongly: see the head of lives.py.


def delivered(second: float, event: EventName, **facts: object) -> Delivery:
    """Make a delivery of that second of the day's noon."""
    microseconds = NOON + int(second * SECOND)
    body = {"id": 1, "conclusion": None, "pull_requests": [], **dict.fromkeys(MUTABLE_OF_JOB), **facts}
    return Delivery(event, timed_guid(microseconds, 0, 0), moment(microseconds), {"action": "", event: body})


def read(second: int, event: EventName, **facts: object) -> RestSnapshot:
    shown = subject(delivered(second, event, **facts))
    return RestSnapshot("run" if event == "workflow_run" else "job", moment(NOON + second * SECOND), shown)


def test_limit_a_run_that_falls_back_within_one_second() -> None:
    attempt = {"run_attempt": 1, "updated_at": stamp(NOON)}
    before = delivered(0.2, "workflow_run", status="in_progress", **attempt)
    after = read(60, "workflow_run", status="waiting", **attempt)
    assert fold([before, after]).attempts[1, 1]["status"] == "in_progress"


def test_limit_a_job_that_is_queued_once_more() -> None:
    before = delivered(0, "workflow_job", run_id=2, status="in_progress")
    after = delivered(3600, "workflow_job", run_id=2, status="queued")
    assert fold([before, after]).jobs[1]["status"] == "in_progress"


def test_limit_a_date_is_cut_to_the_second() -> None:
    before = delivered(0.2, "workflow_job", run_id=2, status="waiting")
    # GitHub answered at 0.8 s of the same second.
    after = read(0, "workflow_job", run_id=2, status="queued")
    assert fold([before, after]).jobs[1]["status"] == "waiting"


# The model does only what GitHub does.


def test_no_thing_goes_where_github_would_not() -> None:
    for history, _ in sample():
        for key, log in log_of_each(history):
            for one, two in pairwise(log):
                assert one.at < two.at
                assert (one.updated_at or "") <= (two.updated_at or "")
                if is_finished(one):
                    assert (two.status, two.conclusion) == (one.status, one.conclusion)
                if key.kind == "job":
                    assert RANK[one.status] <= RANK[two.status]
                if RANK[two.status] < RANK[one.status] and one.conclusion != "action_required":
                    assert (one.updated_at or "") < (two.updated_at or "")


def test_a_re_run_follows_a_finished_attempt() -> None:
    for history, _ in sample():
        first = {key: log[0].at for key, log in log_of_each(history)}
        finished = {key: log for key, log in log_of_each(history) if is_finished(log[-1])}
        for key, began in first.items():
            if key.kind == "attempt" and key.number > 1:
                assert finished[Key("attempt", key.id, key.number - 1)][-1].at < began


def test_every_delivery_carries_the_time_at_which_it_was_made() -> None:
    for history, _ in sample():
        made = [delivery.made_at for delivery in history.deliveries]
        assert made == sorted(set(made))
        assert len({uuid.UUID(delivery.guid).version for delivery in history.deliveries}) <= 1
        for delivery in history.deliveries:
            if uuid.UUID(delivery.guid).version == 1:
                seconds = (made_ticks(delivery) - 0x01B21DD213814000) / 10_000_000
                assert seconds == pytest.approx(delivery.made_at.timestamp(), abs=1e-5)


def test_a_later_rest_snapshot_is_dated_after_whatever_it_differs_from() -> None:
    for history, _ in sample():
        for shot in (*history.rest, *history.early_rest):
            assert shot.date.microsecond == 0
        final = {key_of(shot): shot for shot in history.rest}
        seen: list[Arrival] = [*history.deliveries, *history.early_rest]
        for other in seen:
            shot = final[key_of(other)]
            mutable = MUTABLE_OF_JOB if key_of(other).kind == "job" else MUTABLE_OF_RUN
            if any(subject(other)[field] != shot.body[field] for field in mutable):
                assert made_ticks(other) < made_ticks(shot)


def test_the_truth_is_what_rest_shows_in_the_end() -> None:
    for history, _ in sample():
        assert {key_of(shot) for shot in history.rest} == {change.key for change in history.log}
        assert fold([*history.rest, *history.deliveries]) == history.truth
        assert all((run_id, number) in history.truth.attempts for run_id, number in history.truth.newest.items())


def test_all_that_is_lost_and_needed_is_covered() -> None:
    for history, shuffles in sample():
        last = {key_of(delivery): delivery.guid for delivery in history.deliveries}
        for arrived in shuffles:
            guids = {arrival.guid for arrival in arrived if isinstance(arrival, Delivery)}
            read = {key_of(arrival) for arrival in arrived if isinstance(arrival, RestSnapshot)}
            assert all(guid in guids or key in read for key, guid in last.items())


def test_bodies_are_json_of_github_s_shape() -> None:
    run_keys, job_keys = {*RUN_FIELDS, "pull_requests", "repository", "check_suite_id"}, {*JOB_FIELDS, "runner_id"}
    for history, _ in sample()[:50]:
        for shot in history.rest:
            assert (job_keys if shot.kind == "job" else run_keys) <= set(shot.body)
        for delivery in history.deliveries:
            assert json.loads(json.dumps(delivery.body)) == delivery.body
            extra = {"workflow"} if delivery.event == "workflow_run" else set()
            assert set(delivery.body) == {"action", delivery.event, "repository", "sender", "installation"} | extra


@settings(relaxed, max_examples=50)
@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.just(n), arrival_times(n))))
def test_arrival_times_never_go_back(drawn: tuple[int, list[Any]]) -> None:
    count, times = drawn
    assert len(times) == count
    assert times == sorted(times)


# What the issue names really occurs.


PHENOMENA = """
    re-run|gate approved|gate left|gate approved and finished|tie of updated_at|tie of updated_at and rank
    updated_at moves after completion|run falls back|startup failure without jobs|queued waits again
    run success|run failure|run cancelled|run timed_out|run skipped|run startup_failure|run stale|run None
    job success|job failure|job cancelled|job timed_out|job skipped|job waiting|job queued|job in_progress
    waiting and queued with identical jobs|null replaces a runner|null replaces a conclusion|carried-over job
    pull requests come|pull requests go|pull request of elsewhere|fork|own branch|thin body|silent end
    duplicate|shuffle|nothing but REST|lost tail with REST|stale REST snapshot|loss that needs no REST
    REST of an earlier attempt|GUIDs without time
""".strip().replace("\n", "|")


@cache
def counted() -> Counter[str]:
    return Counter(seen for history, shuffles in sample() for seen in phenomena(history, shuffles))


@pytest.mark.parametrize("name", [name.strip() for name in PHENOMENA.split("|")])
def test_it_occurs(name: str) -> None:
    assert counted()[name] > 0


def imported(source: Path) -> Iterator[str]:
    """Return the full name of each module that a file imports."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source.name} imports relatively"
            yield str(node.module)


def test_the_oracle_imports_only_itself_and_hypothesis() -> None:
    allowed = {*sys.stdlib_module_names, "hypothesis", "pytest"} - {"importlib"}
    sources = sorted(Path(__file__).parent.glob("**/*.py"))
    assert len(sources) > 5
    for source in sources:
        for name in imported(source):
            assert name.split(".")[0] in allowed or f"{name}.".startswith("tests.oracle."), f"{source.name}: {name}"
