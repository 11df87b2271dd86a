"""The ordering rule: versions compare as the tuples that they stand for, and nothing about arrival goes into them."""

import itertools
import struct
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import ordering

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(seconds=1)
LOW, HIGH = b"\0" * 8, b"\xff" * 8
STATUSES = ("requested", "pending", "waiting", "queued", "in_progress", "completed", "a status of tomorrow")
CONCLUSIONS = (None, "success", "failure", "action_required", "startup_failure", "stale")


@pytest.mark.parametrize(
    ("status", "conclusion", "finished", "rank"),
    [
        ("requested", None, False, 0),
        ("pending", None, False, 0),
        ("waiting", None, False, 0),
        ("queued", None, False, 0),
        ("in_progress", None, False, 1),
        ("completed", "success", True, 2),
        ("completed", "startup_failure", True, 2),
        ("completed", "stale", True, 2),
        ("completed", None, True, 2),
        ("completed", "action_required", False, 0),
        ("a status of tomorrow", None, False, 0),
    ],
)
def test_how_far_along(status: str, conclusion: str | None, finished: bool, rank: int) -> None:
    assert ordering.is_finished(status, conclusion) is finished
    assert ordering.rank(status, conclusion) == rank


def run(status: str, conclusion: str | None = None, at: datetime = NOON, made: int = 0, digest: bytes = LOW) -> bytes:
    return ordering.run_version(status, conclusion, at, made, digest)


# Each is older than the next: one part of the version decides, although all parts after it say the contrary.
RUNS = [
    run("queued", at=NOON, made=9, digest=HIGH),
    run("queued", at=NOON, made=10, digest=LOW),
    run("queued", at=NOON, made=10, digest=HIGH),
    run("in_progress", at=NOON, made=0, digest=LOW),
    run("completed", "action_required", at=LATER, made=0, digest=LOW),
    run("waiting", at=LATER, made=1, digest=LOW),
    run("in_progress", at=LATER, made=0, digest=LOW),
    run("completed", "failure", at=NOON - timedelta(days=1), made=0, digest=LOW),
    run("completed", "success", at=NOON, made=3, digest=HIGH),
    run("completed", "success", at=NOON, made=4, digest=LOW),
    run("completed", "success", at=LATER, made=0, digest=LOW),
]


def test_runs_in_order() -> None:
    assert sorted(RUNS) == RUNS
    assert len(set(RUNS)) == len(RUNS)


def test_finished_decides_on_its_own() -> None:
    # A run that was seen finished does not begin again within its attempt, however young an unfinished snapshot looks.
    unfinished = run("in_progress", at=NOON + timedelta(days=30), made=2**63, digest=HIGH)
    gate = run("completed", "action_required", at=NOON + timedelta(days=30), made=2**63, digest=HIGH)
    for conclusion in ("success", "cancelled", None):
        assert run("completed", conclusion) > unfinished
        assert run("completed", conclusion) > gate


def test_jobs_in_order() -> None:
    jobs = [
        ordering.job_version("waiting", None, 5, HIGH),
        ordering.job_version("queued", None, 6, LOW),
        ordering.job_version("queued", None, 6, HIGH),
        ordering.job_version("in_progress", None, 0, LOW),
        ordering.job_version("completed", "success", 0, LOW),
        ordering.job_version("completed", "failure", 1, LOW),
    ]
    assert sorted(jobs) == jobs


def test_entities_in_order() -> None:
    entities = [
        ordering.entity_version(None, 9, HIGH),
        ordering.entity_version(NOON, 0, LOW),
        ordering.entity_version(NOON, 1, LOW),
        ordering.entity_version(LATER, 0, LOW),
        ordering.entity_version(None, 0, LOW, last=True),
    ]
    assert sorted(entities) == entities


def test_entities_that_tell_the_same_whenever_they_were_made() -> None:
    told = ordering.entity_version(NOON, 1, LOW)
    assert ordering.tell_the_same(told, ordering.entity_version(NOON, 2, LOW))
    others = [
        ordering.entity_version(LATER, 1, LOW),
        ordering.entity_version(NOON, 1, HIGH),
        ordering.entity_version(NOON, 1, LOW, last=True),
        b"",
    ]
    assert not any(ordering.tell_the_same(told, other) for other in others)


@given(st.sampled_from(STATUSES), st.sampled_from(CONCLUSIONS), st.datetimes(timezones=st.just(UTC)), st.integers(0))
def test_no_version_is_below_all(status: str, conclusion: str | None, at: datetime, made: int) -> None:
    made %= 2**64
    assert ordering.run_version(status, conclusion, at, made, LOW) > ordering.NO_VERSION
    assert ordering.job_version(status, conclusion, made, LOW) > ordering.NO_VERSION
    assert ordering.entity_version(None, made, LOW) > ordering.NO_VERSION


# Small choices, so that ties happen; the extremes, so that a sign bit or a short field would show.
_made = st.sampled_from((0, 1, 255, 256, 2**63 - 1, 2**63, 2**64 - 1)) | st.integers(0, 2**64 - 1)
_digests = st.sampled_from((LOW, HIGH, b"\x7f" + LOW[1:], b"\x80" + LOW[1:])) | st.binary(min_size=8, max_size=8)
_moments = st.sampled_from((NOON, LATER)) | st.datetimes(timezones=st.just(UTC))
_snapshots = st.tuples(st.sampled_from(STATUSES), st.sampled_from(CONCLUSIONS), _moments, _made, _digests)
Snapshot = tuple[str, str | None, datetime, int, bytes]

RANKS = {"in_progress": 1, "completed": 2}


def tuple_of(snapshot: Snapshot) -> tuple[Any, ...]:
    """Write the rule down once more, as the tuple that it is defined by."""
    status, conclusion, updated_at, made, digest = snapshot
    gate = conclusion == "action_required"
    finished = status == "completed" and not gate
    return finished, updated_at, 0 if gate else RANKS.get(status, 0), made, digest


@given(_snapshots, _snapshots)
def test_bytes_of_runs_compare_as_the_tuples(one: Snapshot, two: Snapshot) -> None:
    assert (ordering.run_version(*one) < ordering.run_version(*two)) == (tuple_of(one) < tuple_of(two))
    assert (ordering.run_version(*one) == ordering.run_version(*two)) == (tuple_of(one) == tuple_of(two))


@given(_snapshots, _snapshots)
def test_bytes_of_jobs_compare_as_the_tuples(one: Snapshot, two: Snapshot) -> None:
    versions = [ordering.job_version(each[0], each[1], *each[3:]) for each in (one, two)]
    tuples = [tuple_of(each)[2:] for each in (one, two)]
    assert (versions[0] < versions[1]) == (tuples[0] < tuples[1])


@given(st.booleans(), st.booleans(), _snapshots, _snapshots)
def test_bytes_of_entities_compare_as_the_tuples(last: bool, other: bool, one: Snapshot, two: Snapshot) -> None:
    versions = [ordering.entity_version(*each[2:], last=end) for end, each in ((last, one), (other, two))]
    assert (versions[0] < versions[1]) == ((last, *one[2:]) < (other, *two[2:]))


# When GitHub made a delivery.

GUID = "4f1b0d80-b7e0-11f1-9a3c-0123456789ab"


def test_a_version_1_guid_tells_when_it_was_made() -> None:
    # The example of RFC 9562, appendix A.1: 2022-02-22, 14:22:22 at five hours behind UTC.
    made = ordering.made_at("C232AB00-9414-11EC-B3C8-9F6BDECED846")
    assert made == ordering.microseconds(datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5))))


@pytest.mark.parametrize(
    "written", [GUID.upper(), f"{{{GUID}}}", f"urn:uuid:{GUID}", GUID.replace("-", ""), f"{{{GUID.upper()}}}"]
)
def test_however_it_is_written(written: str) -> None:
    assert ordering.made_at(written) == ordering.made_at(GUID) > 0


@pytest.mark.parametrize(
    "guid",
    [
        "",
        "not a UUID",
        GUID[:-1],
        GUID + "0",
        "g" * 32,
        "\ud800" * 32,
        str(uuid.UUID(int=2**128 - 1)),
        str(uuid.UUID(int=0)),
        "919108f7-52d1-4320-9bac-f847db4148a8",  # version 4
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f",  # version 7
        GUID[:19] + "0" + GUID[20:],  # the variant that NCS used, of which the version says nothing
    ],
)
def test_a_guid_without_a_time(guid: str) -> None:
    assert ordering.made_at(guid) == 0


@given(st.integers(0, 2**60 - 1), st.integers(0, 2**60 - 1))
def test_guids_are_as_late_as_the_times_in_them(one: int, two: int) -> None:
    def guid(ticks: int) -> str:
        return str(uuid.UUID(fields=(ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48, 0x80, 0, 1), version=1))

    assert (ordering.made_at(guid(one)) < ordering.made_at(guid(two))) == (one // 10 < two // 10)
    assert 0 < ordering.made_at(guid(one)) < 2**64


def test_microseconds_are_exact_and_never_negative() -> None:
    assert ordering.microseconds(datetime(1, 1, 1, tzinfo=UTC)) == 0
    assert ordering.microseconds(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))) == 0
    assert ordering.microseconds(NOON + timedelta(microseconds=1)) - ordering.microseconds(NOON) == 1
    assert ordering.microseconds(datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))) < 2**63


def test_a_digest_is_of_the_facts_alone() -> None:
    facts = ["completed", None, NOON, {"b": 1, "a": [2]}]
    assert ordering.digest(*facts) == ordering.digest("completed", None, NOON, {"a": [2], "b": 1})
    assert len(ordering.digest()) == ordering.DIGEST_BYTES
    variants: list[list[Any]] = [
        ["completed", None],
        [None, "completed"],
        ["completed", "None"],
        ["completed"],
        ["completed", None, NOON],
    ]
    digests = [ordering.digest(*each) for each in variants]
    assert all(one != two for one, two in itertools.combinations(digests, 2))


def test_versions_have_one_length_each() -> None:
    # Bytes of different lengths would compare by luck.
    assert {len(version) for version in RUNS} == {struct.calcsize(">BQBQ8s")}
