"""The benchmarks run and say what they should; how fast anything was is for `make bench` alone."""

import asyncio
import hmac
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from bench import load, memory, slow_disk
from bench import page as bench_page
from bench.__main__ import BENCHES
from bench.bodies import SECRET, Source, make_large, make_traffic
from bench.told import out_of_order, urgencies
from bot.demo.github.rest.journal import Write
from bot.domain.feedback.pacing import Urgency
from tests.conftest import ROOT
from tests.markdown import DOCS

pytestmark = pytest.mark.timeout(240)
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
QUICK = ("backfill", "ingest", "ingest_postgres", "lists", "together")
"""The others run in `make test-deep`."""
SIDES = {"runledger", "plain bot", "bare handler, asyncio", "bare handler, uvloop"}


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run benches with next to no work; some start a PostgreSQL of their own, hence the tests' mark."""
    told = tmp_path_factory.mktemp("bench") / "figures.json"
    out, figures = small(told, *QUICK)
    assert "ingest: ratios of medians" in out
    assert figures["machine"]["cores"] >= 1
    assert figures["machine"]["processor"] in out.replace("\n", " ")
    return dict(figures["benches"])


def small(told: Path, *names: str) -> tuple[str, dict[str, Any]]:
    """Run benches with next to no work; return what was printed, and the figures."""
    only = [word for name in names for word in ("--only", name)]
    command = [sys.executable, "-m", "bench", "--small", *only, "--json", str(told)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=220, check=False)
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
    # What a bare handler does for so few may be over before the kernel has counted any of it.
    processor = "processor_time_of_"
    assert all(ratio > 0 or name.startswith(processor) for name, ratio in ingest["ratios"].items())
    assert {"deliveries_to_plain_bot", "applied_to_bare_uvloop"} <= ingest["ratios"].keys()
    assert ingest["storm"]["wrong_final_states"]["runledger"] == 0
    assert ingest["storm"]["runledger"]["things"] > ingest["medians"]["runledger"]["things"]
    (paced,) = ingest["paced"].values()
    assert 0 < paced["p50_milliseconds"] <= paced["p99_milliseconds"] <= paced["max_milliseconds"]
    assert paced["not_accepted"] == 0


@pytest.mark.postgres
def test_ingest_on_postgresql_has_its_figures(benches: dict[str, Any]) -> None:
    ingest = benches["ingest_postgres"]
    assert ingest["medians"].keys() == {"runledger, one web", "runledger, two webs", "plain bot"}
    for measured in ingest["medians"].values():
        assert measured["not_accepted"] == 0
        assert 0 < measured["applied_per_second"] <= measured["deliveries_per_second"]
        assert measured["PostgreSQL_microseconds"] > 0
        assert measured["generator_microseconds"] > 0
    assert ingest["wrong_final_states"]["runledger, two webs"] == 0
    assert all(ratio > 0 for ratio in ingest["ratios"].values())


@pytest.mark.postgres
def test_lists_and_deliveries_together_have_their_figures(benches: dict[str, Any]) -> None:
    together = benches["together"]
    assert together["ratios"]["lists_to_plain_side"] > 0
    for measured in together["medians"].values():
        assert measured["lists_per_second"] > 0
        assert measured["deliveries_per_second"] > 0
        assert measured["not_accepted"] == 0


@pytest.mark.postgres
def test_lists_have_their_figures(benches: dict[str, Any]) -> None:
    lists = benches["lists"]
    assert set(lists["medians"]) == {
        "runledger",
        "runledger, asked again",
        "runledger, few rows",
        "runledger, other rows each time",
        "runledger, few rows, other rows each time",
        "model instances",
        "model instances, other rows each time",
        "bare handler, uvloop",
    }
    assert {"to_model_instances", "to_ready_body", "to_few_rows", "page_deep_to_page_1"} < set(lists["ratios"])
    assert all(ratio > 0 for ratio in lists["ratios"].values())
    for what, more in (("runs", set()), ("jobs", {"label matching", "runnerName missing", "runId matching"})):
        filters = {"no filter", "branch matching", "branch missing", "headSha matching", "workflow, by path matching"}
        assert filters | more <= set(lists["filter_milliseconds"][what])


OTHERS = ("update_or_create", "bulk_create")


@pytest.mark.postgres
def test_backfill_has_its_figures(benches: dict[str, Any]) -> None:
    backfill = benches["backfill"]
    sides = {
        f"{who}, {database}"
        for who in ("runledger", *(f"{way}{tables}" for way in OTHERS for tables in ("", ", plain tables")))
        for database in ("SQLite", "PostgreSQL")
    }
    assert set(backfill["medians"]) == sides
    assert all(rate > 0 for measured in backfill["medians"].values() for rate in measured.values())
    # Runs, the same again, jobs, and what a first backfill is, to four others, on two databases.
    assert len(backfill["ratios"]) == 4 * 4 * 2
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
def test_a_slow_disk_growth_and_memory_have_their_figures(tmp_path: Path) -> None:
    _, figures = small(tmp_path / "figures.json", "slow_disk", "growth", "memory")
    benches = figures["benches"]
    assert benches["slow_disk"]["medians"]["runledger"]["wrong_jobs"] == 0
    # A commit each, one after another, so that even the quickest answer has waited for one.
    assert benches["slow_disk"]["medians"]["plain bot"]["p50_milliseconds"] > 2
    (costs,) = benches["growth"]["medians"].values()
    assert costs["cpu_microseconds_per_delivery"] > 0
    assert costs["cpu_microseconds_a_list"] > 0
    assert costs["cpu_microseconds_a_list_elsewhere"] > 0
    assert benches["growth"]["on_paper"]["gigabytes"].keys() == {"SQLite", "PostgreSQL"}
    assert min(benches["growth"]["on_paper"]["gigabytes"].values()) > 0
    memory = benches["memory"]
    assert [load["refused"] for load in memory["loads"]] == [{}, {}]
    assert len(memory["minutes"]) == 6
    assert all(minute["lists_per_second"] > 0 for minute in memory["minutes"])
    assert memory["at_rest_mebibytes"] > 10


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
    assert traffic.requests == make_traffic(400).requests == [each.request for each in islice(Source(), 400)]
    # Cut off in the middle of many lives, the mix is only about right; whole lives are 14 to 3 to 3.
    jobs = sum(each.event == "workflow_job" for each in traffic.deliveries)
    assert 0.6 < jobs / 400 < 0.8
    assert len({each.guid for each in traffic.deliveries}) == 400
    assert all(9_500 <= each.size == len(each.body) <= 30_000 for each in traffic.deliveries)


def test_traffic_of_another_seed_shares_nothing() -> None:
    one, other = make_traffic(100), make_traffic(100, seed=2)
    assert {each.guid for each in one.deliveries}.isdisjoint(each.guid for each in other.deliveries)
    assert one.truth.jobs.keys().isdisjoint(other.truth.jobs)
    assert one.truth.runs.keys().isdisjoint(other.truth.runs)


def test_large_deliveries_are_as_large_as_asked_and_signed() -> None:
    (delivery,) = make_large(1, 2**20, seed=3)
    assert 2**20 < delivery.size == len(delivery.body) < 2**20 + 30_000
    signature = hmac.digest(SECRET.encode(), delivery.body, "sha256").hex()
    assert f"X-Hub-Signature-256: sha256={signature}\r\n".encode() in delivery.request


class OneAtATime(asyncio.Protocol):
    """Answers each request 30 ms after it came."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n" * data.count(b"\r\n\r\n")
        asyncio.get_running_loop().call_later(0.03, self.transport.write, answer)


async def test_latencies_count_from_when_a_request_was_due() -> None:
    server = await asyncio.get_running_loop().create_server(OneAtATime, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        sent = await load.send_paced(port, [load.get("/")] * 4, connections=1, rate=10_000)
    assert sent.statuses[202] == 4
    # All were due within the first answer's time, and the last had to wait for three others.
    assert max(sent.latencies) > 0.1
    assert sorted(sent.latencies) == sent.latencies


async def test_requests_are_sent_over_and_over_for_a_time() -> None:
    server = await asyncio.get_running_loop().create_server(OneAtATime, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        sent = await load.send(port, load.for_seconds(0.05, [load.get("/")]), connections=1)
    assert 1 <= sent.statuses[202] <= 2


def test_each_sync_is_slowed_down(tmp_path: Path) -> None:
    """That it is, is seen to by what compiles it."""
    assert (slow_disk.compile_library(tmp_path) is None) == (shutil.which("cc") is None)


def test_a_line_tells_growth_from_noise() -> None:
    noise = memory.line_through([10.0, 10.4, 9.8, 10.1, 10.2, 9.9])
    assert abs(noise.slope) < 2 * noise.error
    growth = memory.line_through([10.0, 11.1, 11.9, 13.0, 14.1, 14.9])
    assert growth.slope == pytest.approx(1, abs=0.05)
    assert growth.slope > 2 * growth.error


TOLD = {
    "machine": {"taken_at": "2026-11-26T17:00:00+00:00", "processor": "Some", "cores": 2},
    "tables": {"ingest": [["ingest: how", ["", "rate"], [["a | b", "1"]]], ["nothing", [""], []]]},
}


def test_the_page_of_figures_is_made_from_what_was_measured() -> None:
    page = "# Head\n\n<!-- bench ingest -->\nold\n<!-- end -->\n\n<!-- bench lists -->\nkept\n<!-- end -->\n"
    filled = bench_page.filled(page, [TOLD])
    assert "Taken on 26 November 2026: processor Some, cores 2." in filled
    assert "**Ingest: how**\n\n| | rate |\n| :-- | --: |\n| a \\| b | 1 |\n\n**Nothing**\n" in filled
    assert "old" not in filled
    assert "<!-- bench lists -->\nkept\n<!-- end -->\n" in filled
    assert bench_page.filled(filled, [TOLD]) == filled


def test_the_page_has_a_place_for_each_benchmark() -> None:
    assert sorted(bench_page.names((DOCS / "performance.md").read_text())) == sorted(BENCHES)
