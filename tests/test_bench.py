"""The benchmarks run and say what they should; how fast anything was is for `make bench` alone."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from bench.bodies import make_traffic
from bench.told import out_of_order, urgencies
from bot.demo.github.rest.journal import Write
from bot.domain.feedback.pacing import Urgency
from tests.conftest import ROOT

pytestmark = pytest.mark.timeout(150)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SIDES = {"runledger", "plain bot", "bare handler, asyncio", "bare handler, uvloop"}


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run benches with next to no work; some start a PostgreSQL of their own, hence the tests' mark."""
    told = tmp_path_factory.mktemp("bench") / "figures.json"
    out, figures = small(told, "backfill", "ingest", "lists")
    assert "ingest: ratios of medians" in out
    assert figures["machine"]["cores"] >= 1
    assert figures["machine"]["processor"] in out.replace("\n", " ")
    return dict(figures["benches"])


def small(told: Path, *names: str) -> tuple[str, dict[str, Any]]:
    """Run benches with next to no work; return what was printed, and the figures."""
    only = [word for name in names for word in ("--only", name)]
    command = [sys.executable, "-m", "bench", "--small", *only, "--json", str(told)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    return ran.stdout, json.loads(told.read_text())


@pytest.mark.postgres
def test_ingest_has_its_figures(benches: dict[str, Any]) -> None:
    ingest = benches["ingest"]
    assert set(ingest["medians"]) == SIDES
    for measured in ingest["medians"].values():
        assert measured["deliveries_per_second"] > 0
        assert measured["applied_per_second"] > 0
        assert measured["not_accepted"] == 0
    assert ingest["wrong_final_states"]["runledger"] == 0
    assert ingest["ratios"]["deliveries_to_plain_bot"] > 0
    assert ingest["ratios"]["applied_to_bare_uvloop"] > 0


@pytest.mark.postgres
def test_lists_have_their_figures(benches: dict[str, Any]) -> None:
    lists = benches["lists"]
    assert set(lists["medians"]) == {"runledger", "model instances", "bare handler, uvloop"}
    assert set(lists["ratios"]) == {
        "to_model_instances",
        "to_ready_body",
        "page_deep_to_page_1",
        "pull_request_to_bare_get",
    }
    assert all(ratio > 0 for ratio in lists["ratios"].values())
    assert {"no filter", "branch matching", "branch missing", "headSha missing"} <= set(lists["filter_milliseconds"])


@pytest.mark.postgres
def test_backfill_has_its_figures(benches: dict[str, Any]) -> None:
    backfill = benches["backfill"]
    sides = {
        f"{who}, {database}"
        for who in ("runledger", "update_or_create", "bulk_create")
        for database in ("SQLite", "PostgreSQL")
    }
    assert set(backfill["medians"]) == sides
    assert all(rate > 0 for measured in backfill["medians"].values() for rate in measured.values())
    assert len(backfill["ratios"]) == 12
    assert backfill["ratios"]["runs_to_bulk_create_on_sqlite"] > 0
    assert set(backfill["fetches"]) == {"SQLite, a quick GitHub", "PostgreSQL, a quick GitHub"}
    for measured in backfill["fetches"].values():
        assert measured["runs_listed_per_second"] > 0
        # A page of runs, one of pull requests, and the jobs of some runs.
        assert measured["requests"] > 2
        for share in ("waiting_share", "waiting_share_of_listing"):
            assert 0 < measured[share] <= 1


@pytest.mark.deep
@pytest.mark.postgres
def test_feedback_has_its_figures(tmp_path: Path) -> None:
    """Quiet times on a real clock can't be shortened, so that this takes a minute."""
    _, figures = small(tmp_path / "figures.json", "feedback")
    feedback = figures["benches"]["feedback"]
    deployments = {"SQLite, one process", "PostgreSQL, web and 2 workers"}
    assert set(feedback["under_load"]) == deployments
    for measured in feedback["under_load"].values():
        assert measured["events_per_second"] > 0
        assert measured["failures"] == measured["check_seconds"]["count"] > 0
        assert measured["check_seconds"]["p50"] <= measured["check_seconds"]["p95"]
    for measured in (*feedback["under_load"].values(), *feedback["at_once"].values()):
        assert measured["unchanged"] == 0
        assert measured["violations"] == {}
    (queue,) = feedback["at_once"].values()
    assert queue["milestones"]["check shows its failure"]["seconds"] > 0
    assert queue["out_of_order"] == 0
    written = feedback["writes"]["all_green"]
    assert written == {**feedback["writes"]["all"], "scene": "all_green"}
    assert 0 < written["check_creates"] + written["check_edits"] < written["untuned"]
    assert written["unchanged"] == 0


def test_writes_out_of_order_are_found() -> None:
    def write(second: int, number: int, title: str | None, **more: str) -> Write:
        body = {**more, "output": {"title": title}}
        kind: Literal["check", "comment"] = "check" if title else "comment"
        at = AT + timedelta(seconds=second)
        return Write(at, kind, "edit", number, "", "acme/rocket", None, (number,), body, None)

    early = write(3, 3, "1 of 4 jobs done")
    written = [
        write(1, 1, "1 failed"),
        early,
        write(4, 2, "1 failed"),
        write(25, 1, None),
        write(32, 1, "1 new failure", conclusion="failure"),
        write(33, 2, None),
        write(36, 2, "1 new failure", conclusion="failure"),
    ]
    first, end, last = Urgency.FIRST_FAILURE, Urgency.COMPLETION, Urgency.COMMENT
    assert urgencies(written) == [first, Urgency.PROGRESS, first, last, end, last, end]
    # A completion is due after half a minute; what has been due for two seconds should go first.
    assert out_of_order(written, dict.fromkeys((1, 2), AT)) == [early, written[5]]


def test_traffic_is_the_same_every_time_and_mixed_as_promised() -> None:
    traffic = make_traffic(400)
    assert [each.request for each in traffic.deliveries] == [each.request for each in make_traffic(400).deliveries]
    # Cut off in the middle of many lives, the mix is only about right; whole lives are 14 to 3 to 3.
    jobs = sum(each.event == "workflow_job" for each in traffic.deliveries)
    assert 0.6 < jobs / 400 < 0.8
    assert len({each.guid for each in traffic.deliveries}) == 400
    assert all(9_500 <= len(each.body) <= 30_000 for each in traffic.deliveries)
