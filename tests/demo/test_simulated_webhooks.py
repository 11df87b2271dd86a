"""Deliveries over real HTTP: signed, logged, bounded, and going wrong exactly as asked."""

import asyncio
import hashlib
import hmac
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from bot.clock import Clock, ManualClock
from bot.demo.github import Delay, Duplicate, Fail, FaultRates, NeverSent, ScriptedFaults, SimulatedGitHub
from bot.demo.github.faults import FaultPlan
from bot.demo.github.webhooks import deliverer
from tests.demo.stage import Receiver, Stage, set_stage


def connected(receiver: Receiver, faults: FaultPlan | None = None, concurrency: int = 8, seed: int = 7) -> Stage:
    return set_stage(
        SimulatedGitHub(Clock(), seed=seed, webhook_url=receiver.url, faults=faults, concurrency=concurrency)
    )


def make_deliveries(stage: Stage) -> None:
    """Make six deliveries for each of five runs, and ten of pull requests."""
    for number in range(5):
        pull = stage.open(f"topic-{number}")
        stage.github.actions.start_run_for(pull, stage.workflow)
        stage.github.pulls.close(pull)


async def finish(stage: Stage) -> list[str]:
    """Wait for the end and return the GUIDs in the order in which their deliveries were made."""
    await stage.github.settle()
    await stage.github.close()
    return [one.guid for one in stage.github.deliveries]


async def test_everything_arrives_signed_and_as_it_was_made(receiver: Receiver) -> None:
    stage = connected(receiver)
    stage.github.ping()
    make_deliveries(stage)
    guids = await finish(stage)
    assert len(guids) > 30
    assert sorted(receiver.guids) == sorted(guids)
    made = {one.guid: one for one in stage.github.deliveries}
    for headers, body in receiver.requests:
        delivery = made[headers["X-GitHub-Delivery"]]
        assert body == delivery.body
        assert (headers["Content-Type"], headers["X-GitHub-Event"]) == ("application/json", delivery.event)
        assert headers["User-Agent"].startswith("GitHub-Hookshot/")
        assert headers["X-GitHub-Hook-ID"] == str(stage.github.hook_id)
        assert headers["X-GitHub-Hook-Installation-Target-ID"] == str(stage.github.app.id)
        assert headers["X-GitHub-Hook-Installation-Target-Type"] == "integration"
        for header, name in (("X-Hub-Signature-256", "sha256"), ("X-Hub-Signature", "sha1")):
            expected = hmac.new(stage.github.webhook_secret.encode(), body, getattr(hashlib, name)).hexdigest()
            assert headers[header] == f"{name}={expected}"


async def test_one_at_a_time_they_arrive_in_order(receiver: Receiver) -> None:
    stage = connected(receiver, concurrency=1)
    make_deliveries(stage)
    made = await finish(stage)
    assert receiver.guids == made
    assert receiver.most_open == 1


async def test_no_more_requests_are_open_than_allowed(receiver: Receiver) -> None:
    receiver.seconds = 0.01
    stage = connected(receiver, concurrency=3)
    make_deliveries(stage)
    await finish(stage)
    assert receiver.most_open == 3


async def test_the_log_tells_how_each_delivery_went(receiver: Receiver) -> None:
    stage = connected(receiver)
    receiver.answer = 503
    make_deliveries(stage)
    guids = await finish(stage)
    attempts = stage.github.webhooks.log.attempts
    assert {(one.status_code, one.status, one.succeeded, one.redelivery) for one in attempts} == {
        (503, "Invalid HTTP Response: 503", False, False)
    }
    assert sorted(one.delivery.guid for one in attempts) == sorted(guids)
    assert all(one.duration >= 0 and one.delivered_at >= one.delivery.made_at for one in attempts)
    assert {one.guid for one in stage.github.webhooks.log.undelivered()} == set(guids)
    assert stage.github.counts()["deliveries_failed"] == len(guids)


async def test_nobody_there_and_no_answer_in_time_are_failures(
    receiver: Receiver, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliverer, "_SECONDS_TO_ANSWER", 0.1)
    stage = connected(receiver)
    receiver.seconds = 0.4
    stage.open()
    await stage.github.settle()
    stage.github.webhooks.url = f"http://127.0.0.1:{unused_tcp_port}/hook"
    stage.open("other")
    await finish(stage)
    statuses = [(one.status_code, one.status) for one in stage.github.webhooks.log.attempts]
    assert statuses == [(504, "timed out"), (504, "timed out"), (502, "failed to connect to host")]


async def test_a_redelivery_has_the_same_guid_and_bytes(receiver: Receiver) -> None:
    stage = connected(receiver)
    receiver.answer = 500
    stage.open()
    await stage.github.settle()
    receiver.answer = 202
    lost = [one.guid for one in stage.github.webhooks.log.undelivered()]
    for guid in lost:
        stage.github.redeliver(guid)
    await finish(stage)
    assert len(lost) == 2
    first, second = receiver.requests[:2], receiver.requests[2:]
    assert sorted(first, key=str) == sorted(second, key=str)
    for guid in lost:
        assert [one.redelivery for one in stage.github.webhooks.log.attempts_at(guid)] == [False, True]
    assert list(stage.github.webhooks.log.undelivered()) == []
    with pytest.raises(KeyError):
        stage.github.redeliver("00000000-0000-1000-8000-000000000000")


async def test_a_duplicate_has_the_same_guid_and_bytes(receiver: Receiver) -> None:
    faults = ScriptedFaults()
    faults.add(Duplicate(2), event="workflow_run", action="requested", times=3)
    stage = connected(receiver, faults)
    make_deliveries(stage)
    guids = await finish(stage)
    arrived = Counter(receiver.guids)
    assert Counter(arrived.values()) == {1: len(guids) - 3, 3: 3}
    thrice = {guid for guid, times in arrived.items() if times == 3}
    for guid in thrice:
        assert len({body for headers, body in receiver.requests if headers["X-GitHub-Delivery"] == guid}) == 1
        notes = [one.note for one in stage.github.webhooks.log.attempts_at(guid)]
        assert notes == ["", "duplicate", "duplicate"]
    assert stage.github.counts()["deliveries_duplicates"] == 6


async def test_a_failed_delivery_is_logged_and_can_be_redelivered(receiver: Receiver) -> None:
    faults = ScriptedFaults()
    faults.add(Fail(), event="workflow_job", times=None)
    stage = connected(receiver, faults)
    make_deliveries(stage)
    await stage.github.settle()
    lost = [one.guid for one in stage.github.webhooks.log.undelivered()]
    assert len(lost) == 10
    assert set(lost).isdisjoint(receiver.guids)
    assert {(one.status_code, one.note) for guid in lost for one in stage.github.webhooks.log.attempts_at(guid)} == {
        (502, "failed")
    }
    for guid in lost:
        stage.github.redeliver(guid)
    made = await finish(stage)
    assert sorted(receiver.guids) == sorted(made)


async def test_what_is_never_sent_leaves_no_trace_in_the_log(receiver: Receiver) -> None:
    faults = ScriptedFaults()
    faults.add(NeverSent(), event="workflow_run", times=2)
    stage = connected(receiver, faults)
    make_deliveries(stage)
    await finish(stage)
    never = list(stage.github.webhooks.never_sent)
    assert len(never) == 2
    assert set(never).isdisjoint(receiver.guids)
    assert [one for guid in never for one in stage.github.webhooks.log.attempts_at(guid)] == []
    with pytest.raises(KeyError):
        stage.github.redeliver(never[0])


async def test_a_shuffle_keeps_everything_but_the_order(receiver: Receiver) -> None:
    stage = connected(receiver, ScriptedFaults(window=6), concurrency=1)
    make_deliveries(stage)
    made = await finish(stage)
    assert receiver.guids != made
    assert sorted(receiver.guids) == sorted(made)
    places = {guid: place for place, guid in enumerate(made)}
    assert all(places[guid] // 6 == place // 6 for place, guid in enumerate(receiver.guids))


async def test_a_shuffle_does_not_wait_for_neighbours_for_ever(receiver: Receiver) -> None:
    stage = connected(receiver, ScriptedFaults(window=1000))
    for _ in range(100):
        if receiver.requests:
            break
        await asyncio.sleep(0.02)
    arrived = list(receiver.guids)
    assert arrived == await finish(stage)


async def test_a_delay_passes_on_the_shared_clock(receiver: Receiver) -> None:
    clock, faults = ManualClock(), ScriptedFaults()
    faults.add(Delay(90), event="pull_request")
    stage = set_stage(SimulatedGitHub(clock, webhook_url=receiver.url, faults=faults))
    stage.open()
    settled = asyncio.ensure_future(stage.github.settle())
    while not receiver.requests:
        await asyncio.sleep(0.01)
    await clock.advance(89)
    assert not settled.done()
    assert [headers["X-GitHub-Event"] for headers, _ in receiver.requests] == ["installation"]
    await clock.advance(2)
    await settled
    await stage.github.close()
    (late,) = [one for one in stage.github.webhooks.log.attempts if one.delivery.event == "pull_request"]
    assert late.note == "delayed"
    assert timedelta(seconds=90) <= late.delivered_at - late.delivery.made_at <= timedelta(seconds=91)


async def test_drawn_faults_add_up(receiver: Receiver) -> None:
    faults = FaultRates(seed=2, delay=0.2, longest_delay=0.02, duplicate=0.3, fail=0.2, never_sent=0.2, window=5)
    stage = connected(receiver, faults)
    make_deliveries(stage)
    guids = await finish(stage)
    counts = stage.github.counts()
    assert counts["deliveries_made"] == len(guids)
    assert min(counts[f"deliveries_{name}"] for name in ("duplicates", "failed", "never_sent", "delayed")) > 0
    assert len(receiver.requests) == counts["deliveries_succeeded"]
    assert len(set(receiver.guids)) == len(guids) - counts["deliveries_failed"] - counts["deliveries_never_sent"]
    assert len(receiver.requests) == len(set(receiver.guids)) + counts["deliveries_duplicates"]


def test_drawn_faults_follow_from_the_seed_and_the_delivery_alone(stage: Stage) -> None:
    make_deliveries(stage)

    def drawn(seed: int) -> list[Any]:
        rates = FaultRates(seed=seed, delay=0.5, duplicate=0.5, fail=0.2)
        return [rates.faults_for(one, redelivery=False) for one in stage.github.deliveries]

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    rates = FaultRates(seed=1, never_sent=1)
    assert list(rates.faults_for(stage.github.deliveries[0], redelivery=True)) == []


async def test_the_log_keeps_no_more_than_it_is_told_to(receiver: Receiver) -> None:
    stage = connected(receiver, concurrency=1)
    make_deliveries(stage)
    await stage.github.settle()
    log = stage.github.webhooks.log
    log.most = 4
    stage.open("last")
    await finish(stage)
    assert [one.number for one in log.deliveries] == [34, 35, 36, 37]
    assert [one.delivery.number for one in log.attempts] == [34, 35, 36, 37]


async def test_the_log_forgets_after_three_days(stage: Stage) -> None:
    stage.open()
    assert isinstance(stage.github.clock, ManualClock)
    await stage.github.clock.advance(3 * 86_400 + 1)
    stage.open("later")
    assert [one.event for one in stage.github.deliveries] == ["pull_request"]
    assert stage.github.counts()["deliveries_made"] == 3
