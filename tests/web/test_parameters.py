"""Query parameters: every fault named at once, and nothing that a client can send ever more than a fault."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from bot.store.queries.filters import JobsQuery, PullRequestRunsQuery, RunDetailsQuery, RunsQuery
from bot.web.api.workflow_runs import RunPath
from bot.web.parameters import ParameterErrors, parameters_of, parse, query_pairs
from bot.web.webhook import DeliveryHeaders
from tests.web.conftest import Client
from tests.web.rooms import API, TOKEN, Rooms

QUERIES = (RunsQuery, JobsQuery, PullRequestRunsQuery, RunDetailsQuery)
SHA = "0123456789abcdef0123456789abcdef01234567"


def faults(struct: type[msgspec.Struct], raw_query: str) -> dict[str, str]:
    with pytest.raises(ParameterErrors) as caught:
        parse(struct, query_pairs(raw_query))
    return {fault.parameter: fault.message for fault in caught.value.faults}


@pytest.mark.parametrize(
    ("raw", "attribute", "value"),
    [
        ("branch=main", "branch", "main"),
        ("branch=null", "branch", "null"),
        ("branch=%C3%A9t%C3%A9", "branch", "été"),
        ("branch=a%26b%3Dc", "branch", "a&b=c"),
        ("branch=a+b", "branch", "a b"),
        ("branch=1", "branch", "1"),
        ("status=in_progress", "status", "in_progress"),
        ("workflowId=0042", "workflow_id", 42),
        ("workflowId=9223372036854775807", "workflow_id", 2**63 - 1),
        ("repoFullName=octo/hello.world", "repo_full_name", "octo/hello.world"),
        (f"headSha={SHA}", "head_sha", SHA),
        ("limit=100", "limit", 100),
        ("", "limit", 50),
        ("", "branch", None),
        ("since=2026-01-05", "since", datetime(2026, 1, 5, tzinfo=UTC)),
        ("since=2026-01-05T09:30", "since", datetime(2026, 1, 5, 9, 30, tzinfo=UTC)),
        ("since=2026-01-05T09:30:15", "since", datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC)),
        ("since=2026-01-05T09:30:15Z", "since", datetime(2026, 1, 5, 9, 30, 15, tzinfo=UTC)),
        ("since=2026-01-05t09:30:15.5z", "since", datetime(2026, 1, 5, 9, 30, 15, 500_000, tzinfo=UTC)),
        ("since=2026-01-05T09:30:00%2B02:00", "since", datetime(2026, 1, 5, 7, 30, tzinfo=UTC)),
        ("since=2026-01-05T09:30:00+02:00", "since", datetime(2026, 1, 5, 7, 30, tzinfo=UTC)),
        ("since=2026-01-05T09:30:00-0230", "since", datetime(2026, 1, 5, 12, tzinfo=UTC)),
        ("since=2026-01-05T09:30:00.123456789Z", "since", datetime(2026, 1, 5, 9, 30, 0, 123_456, tzinfo=UTC)),
        ("until=2026-01-05", "until", datetime(2026, 1, 5, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("until=2026-01-05T09:00:00Z", "until", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("until=2026-01-05t09:00:00z", "until", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("until=2026-01-05%2009:00:00Z", "until", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("until=2026-01-05+09:00", "until", datetime(2026, 1, 5, 9, tzinfo=UTC)),
        ("until=2026-01-05%2009:00:00%2B02:00", "until", datetime(2026, 1, 5, 7, tzinfo=UTC)),
        ("until=2026-01-05+00:00:00", "until", datetime(2026, 1, 5, tzinfo=UTC)),
        ("until=0001-01-01", "until", datetime(1, 1, 1, 23, 59, 59, 999999, tzinfo=UTC)),
        ("until=0001-01-01T00:00", "until", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_what_is_understood(raw: str, attribute: str, value: Any) -> None:
    query = parse(RunsQuery, query_pairs(f"team=octo&{raw}"))
    assert getattr(query, attribute) == value
    assert not isinstance(value, datetime) or getattr(query, attribute).tzinfo is UTC


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_booleans_have_two_spellings(text: str, value: bool) -> None:
    query = parse(PullRequestRunsQuery, query_pairs(f"team=t&repoFullName=o/r&prNumber=1&latest={text}"))
    assert query.latest is value


@pytest.mark.parametrize(
    ("raw", "at_fault"),
    [
        ("team=", "team"),
        ("team=" + "x" * 101, "team"),
        ("team=a%00b", "team"),
        ("team=%FF", "team"),
        ("team=%ED%A0%80", "team"),
        ("nonsense=1", "nonsense"),
        ("Limit=1", "Limit"),
        ("=1", ""),
        ("limit=1&limit=1", "limit"),
        ("limit=", "limit"),
        ("limit", "limit"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=1.0", "limit"),
        ("limit=1e1", "limit"),
        ("limit=+5", "limit"),
        ("limit=%2B5", "limit"),
        ("limit=1_0", "limit"),
        ("limit=%EF%BC%95", "limit"),
        ("limit=null", "limit"),
        ("limit=NaN", "limit"),
        ("limit=" + "9" * 30, "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("workflowId=9223372036854775808", "workflowId"),
        ("workflowId=null", "workflowId"),
        ("installationId=1%20OR%201=1", "installationId"),
        ("repoFullName=octo", "repoFullName"),
        ("repoFullName=octo/hello/world", "repoFullName"),
        ("repoFullName=octo/hello%0A", "repoFullName"),
        ("headSha=abc", "headSha"),
        (f"headSha={SHA}%0A", "headSha"),
        (f"headSha={SHA.upper()}", "headSha"),
        ("status=done", "status"),
        ("status=Completed", "status"),
        ("conclusion=success,failure", "conclusion"),
        ("branch=" + "x" * 256, "branch"),
        ("branch=%00", "branch"),
        ("cursor=", "cursor"),
        ("since=yesterday", "since"),
        ("since=2026-13-01", "since"),
        ("since=2026-02-29", "since"),
        ("since=20260105", "since"),
        ("since=2026-W01-1", "since"),
        ("since=2026-01-05T25:00", "since"),
        ("since=2026-01-05T23:59:60Z", "since"),
        ("since=2026-01-05T09:00:00%2B99:00", "since"),
        ("since=0000-01-01", "since"),
        ("since=99999-01-01", "since"),
        ("since=0001-01-01T00:00:00%2B01:00", "since"),
        ("until=9999-12-31T23:59:59-01:00", "until"),
        ("since=%D9%A2%D9%A0%D9%A2%D9%A6-01-05", "since"),
        ("since=1767603600", "since"),
    ],
)
def test_what_is_refused(raw: str, at_fault: str) -> None:
    team = "" if raw.startswith("team") else "team=octo&"
    assert list(faults(RunsQuery, team + raw)) == [at_fault]


@pytest.mark.parametrize("text", ["1", "0", "True", "yes", "", "null"])
def test_no_other_word_is_a_boolean(text: str) -> None:
    found = faults(PullRequestRunsQuery, f"team=t&repoFullName=o/r&prNumber=1&latest={text}")
    assert found == {"latest": "must be true or false"}


def test_every_fault_is_named_at_once() -> None:
    found = faults(RunsQuery, "limit=0&status=x&since=y&what=z&branch=a&branch=b")
    assert set(found) == {"team", "limit", "status", "since", "what", "branch"}
    assert found["team"] == "is required"
    assert found["limit"] == "must be a whole number from 1 to 100"
    assert "in_progress" in found["status"]


def test_an_unknown_name_comes_back_short_and_printable() -> None:
    assert list(faults(RunsQuery, "team=t&%FF" + "x" * 1000 + "=1")) == ["\\udcff" + "x" * 99]


def test_a_parameter_of_a_type_that_text_can_not_be_is_noticed_by_its_author() -> None:
    class Wrong(msgspec.Struct):
        numbers: list[int]

    with pytest.raises(TypeError, match="ListType"):
        parameters_of(Wrong)


ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=40)
NAMES = st.sampled_from(sorted({name for query in QUERIES for name in parameters_of(query)}))
LIKELY = st.one_of(
    st.integers().map(str),
    st.floats().map(str),
    st.datetimes(timezones=st.just(timezone(timedelta(hours=14)))).map(str),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+ -][0-9]{2}:[0-9]{2}", fullmatch=True),
    st.sampled_from(["' OR 1=1 --", "null", "\0", "\ud800", "true", "completed", "o/r", SHA]),
)
PAIRS = st.lists(st.tuples(st.one_of(NAMES, ANY_TEXT), st.one_of(LIKELY, ANY_TEXT)), max_size=8)


@given(struct=st.sampled_from([*QUERIES, RunPath, DeliveryHeaders]), pairs=PAIRS)
@example(struct=RunsQuery, pairs=[("team", "1" * 10_000)])
def test_garbage_is_never_more_than_a_fault(struct: type[msgspec.Struct], pairs: list[tuple[str, str]]) -> None:
    try:
        parsed = parse(struct, pairs)
    except ParameterErrors as errors:
        assert msgspec.json.encode([[fault.parameter, fault.message] for fault in errors.faults]) != b"[]"  # noqa: PT017
    else:
        # What was understood is what was declared.
        assert msgspec.convert(msgspec.to_builtins(parsed), type(parsed)) == parsed


@given(raw=st.one_of(st.text(alphabet="%&=+;0123456789abcdefABCDEFteamlimit"), st.binary().map(quote)))
def test_no_query_string_is_more_than_a_fault(raw: str) -> None:
    try:
        parse(RunsQuery, query_pairs(raw))
    except ParameterErrors as errors:
        assert errors.faults  # noqa: PT017


@given(offset=st.timedeltas(timedelta(0), timedelta(days=3_000_000)), hours=st.integers(-23, 23))
def test_any_moment_arrives_in_utc(offset: timedelta, hours: int) -> None:
    aware = (datetime(2, 1, 1, tzinfo=UTC) + offset).astimezone(timezone(timedelta(hours=hours)))
    query = parse(RunsQuery, [("team", "t"), ("since", aware.isoformat())])
    assert query.since == aware


async def test_faults_of_path_and_query_come_in_one_answer(client: Client, rooms: Rooms) -> None:
    answer = await client.get(f"{API}/workflow-runs/abc?attempt=0", headers=TOKEN)
    problem = await answer.json()
    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert [fault["parameter"] for fault in problem["errors"]] == ["team", "attempt", "runId"]
    assert rooms.asked == []


@pytest.mark.parametrize("run_id", ["0", "-1", "1.5", "9" * 40, "%00", "%FF", "%F0%9F%98%80", "a%2Fb"])
async def test_a_path_takes_garbage_as_calmly(client: Client, run_id: str) -> None:
    answer = await client.get(URL(f"{API}/workflow-runs/{run_id}?team=octo", encoded=True), headers=TOKEN)
    assert answer.status in {400, 404}
    assert answer.content_type == "application/problem+json"
