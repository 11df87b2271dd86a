"""Of a job's log, however long it is, the end is read."""

import asyncio

import pytest

from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job
from bot.feedback import logs
from bot.github.errors import GitHubUnavailable
from tests.feedback.ward import (
    FAILED,
    LAST,
    SCRIPT,
    Ward,
    answered,
    log_host,
)


async def test_no_token_goes_to_the_host_of_logs(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    async with log_host(ward, answered((SCRIPT + FAILED + LAST).encode())) as host:
        failure = await ward.look_into(job)
    assert failure.test == "tests/test_a.py::test_b"
    assert len(host.heard) == 1
    assert b"authorization" not in host.heard[0].lower()


async def test_of_a_long_log_the_end_is_read(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    noise = "2026-01-05T09:00:02.0000000Z " + "x" * 4_000 + "\n"
    early = FAILED.replace("test_b", "test_early")
    ward.house.github.world.logs[job.id] = SCRIPT + early + noise * 2_900 + FAILED + LAST
    assert len(ward.house.github.world.logs[job.id]) > 11_000_000
    failure = await ward.look_into(job)
    assert failure.test == "tests/test_a.py::test_b"


async def test_the_end_is_read_whatever_the_size(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    noise = ("2026-01-05T09:00:02.0000000Z " + "x" * 100_000 + "\n") * 700
    assert len(noise) > 70_000_000
    async with log_host(ward, answered((SCRIPT + noise + FAILED + LAST).encode())):
        assert (await ward.look_into(job)).test == "tests/test_a.py::test_b"


def test_of_what_is_added_the_last_bytes_are_held() -> None:
    end = logs.LogEnd(most=100)
    for number in range(1000):
        end.add(b"line %d\n" % number)
        assert end.held < 120
    assert end.size == 8890
    lines = end.take().splitlines()
    assert lines[-1] == b"line 999"
    assert lines[0] == b"line 990" or lines[0].startswith(b"line 98")
    assert sum(len(line) + 1 for line in lines) <= 100
    assert end.held == 0


def test_what_is_short_is_held_whole() -> None:
    end = logs.LogEnd(most=100)
    end.add(b"half a ")
    end.add(b"line")
    assert end.take() == b"half a line"


async def test_large_logs_wait_for_each_other(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = await ward.fail(*[causes.pytest()] * 4)
    monkeypatch.setattr(logs, "LARGE", 10)
    monkeypatch.setattr(logs, "_LARGE_AT_ONCE", 1)
    monkeypatch.setattr(logs, "_large", type(logs._large)())
    client = ward.tools.github.installation(ward.house.installation_id)
    inside, most = 0, 0

    async def read(job: Job) -> None:
        nonlocal inside, most
        async with logs.log_end(client, "acme/rocket", job.id, ward.house.clock) as end:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            assert end.size > 10
            inside -= 1

    await asyncio.gather(*map(read, failed))
    assert most == 1


async def test_a_log_that_trickles_is_given_up(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = await ward.fail(causes.pytest())
    monkeypatch.setattr(logs, "_LONGEST_SECONDS", -1.0)
    client = ward.tools.github.installation(ward.house.installation_id)
    with pytest.raises(GitHubUnavailable, match="too slowly"):
        async with logs.log_end(client, "acme/rocket", job.id, ward.house.clock):
            pass
