"""What `doctor` finds out from GitHub, each fault made for real on a simulated one."""

import re
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.checks.answers import WEBHOOK_PATH
from bot.checks.github import ask_github
from bot.clock import ManualClock
from bot.demo.github.faults import Fail, ScriptedFaults
from bot.demo.github.rest.faults import RateLimited, ServerError, Slow
from tests.checks.conftest import Practice, faults, patiently

CANARY = "canary-in-an-address"


@pytest.fixture(scope="session")
def another_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


async def test_where_all_is_well_each_answer_is_told(practice: Practice) -> None:
    practice.github.ping()
    await practice.github.settle()
    await practice.clock.advance(180)
    told = await practice.ask()
    app, installation = practice.github.app, practice.stage.installation
    assert (told.asked, told.installations, faults(told.findings)) == (True, True, [])
    assert [each.sentence for each in told.findings] == [
        f"GitHub takes APP_ID and PRIVATE_KEY: the App is runledger (id {app.id}).",
        "The App asks for all that app.yml asks for.",
        f"The App's webhook leads to {practice.public_url}{WEBHOOK_PATH}.",
        "GitHub's last delivery, ping 3 min ago, was answered with 202; none of the newest 2 failed.",
        f"Installation {installation.id} (acme) grants and sends all that app.yml asks for.",
    ]


@pytest.mark.parametrize("missing", ["app_id", "private_key"])
async def test_nothing_is_asked_where_no_app_is_set(practice: Practice, missing: str) -> None:
    told = await practice.ask(**{missing: None})
    assert (told.asked, told.findings) == (False, [])
    assert not practice.github.rest.ledger.calls


# Credentials


async def test_a_key_of_another_app_is_told_and_ends_the_questions(practice: Practice, another_key: str) -> None:
    told = await practice.ask(private_key=another_key)
    (sentence,) = faults(told.findings)
    assert f"does not take PRIVATE_KEY as a key of the App with APP_ID {practice.github.app.id}" in sentence
    assert len(told.findings) == 1
    assert not told.installations


async def test_an_id_of_no_app_is_told(practice: Practice) -> None:
    told = await practice.ask(app_id=4711)
    host = practice.address.removeprefix("http://")
    wanted = f"GitHub ({host}) knows no App with APP_ID 4711: that or GITHUB_API_URL is wrong."
    assert [each.sentence for each in told.findings] == [wanted]


async def test_whoever_set_no_setting_is_told_of_none(practice: Practice, another_key: str) -> None:
    """An App of the set-up page has a name, and its credentials are in the database."""
    for changes in ({}, {"app_id": 4711}, {"private_key": another_key}):
        told = await ask_github(practice.settings(**changes), practice.clock, "Ours")
        first = told.findings[0].sentence
        assert not re.search("APP_ID|PRIVATE_KEY|GITHUB_API_URL", first), first
        assert "in the database" in first or "no longer knows the App Ours." in first


@pytest.mark.parametrize(("minutes", "which"), [(10, "10 min ahead of"), (-180, "3 h behind")])
async def test_a_clock_that_is_far_off_is_told_and_hinders_nothing(
    practice: Practice, minutes: int, which: str
) -> None:
    wrong = ManualClock(practice.clock.now() + timedelta(minutes=minutes))
    told = await ask_github(practice.settings(), wrong)
    assert faults(told.findings) == [f"This machine's clock is {which} GitHub's."]
    assert told.installations


async def test_a_clock_that_is_a_little_off_is_not_told(practice: Practice) -> None:
    nearly = ManualClock(practice.clock.now() + timedelta(seconds=60))
    assert faults((await ask_github(practice.settings(), nearly)).findings) == []


# A GitHub that does not answer


async def test_a_host_where_nobody_listens_is_named_without_credentials(practice: Practice) -> None:
    told = await patiently(practice.clock, practice.ask(github_api_url=f"http://u:{CANARY}@127.0.0.1:1/{CANARY}"))
    (sentence,) = faults(told.findings)
    assert sentence.startswith("GitHub (127.0.0.1:1) can't be asked: GitHub could not be reached")
    assert CANARY not in sentence


async def test_an_outage_is_told_once(practice: Practice) -> None:
    practice.github.outages.add(timedelta(hours=1))
    told = await patiently(practice.clock, practice.ask())
    (sentence,) = faults(told.findings)
    assert sentence.endswith("can't be asked: GitHub answered 503 to GET /app.")
    assert (told.asked, told.installations) == (True, False)


async def test_an_outage_between_two_questions_is_told_once(practice: Practice) -> None:
    storm = practice.github.rest.scripted_faults
    storm.add(ServerError(), operation="apps/get-webhook-config-for-app", times=None)
    told = await patiently(practice.clock, practice.ask())
    (sentence,) = faults(told.findings)
    assert sentence.endswith("can't be asked: GitHub answered 502 to GET /app/hook/config.")
    assert "runledger" in told.findings[0].sentence
    assert not told.installations


async def test_nobody_waits_for_a_slow_github_for_long(practice: Practice) -> None:
    practice.github.rest.scripted_faults.add(Slow(60), operation="apps/list-installations")
    began = practice.clock.now()
    told = await patiently(practice.clock, practice.ask())
    assert faults(told.findings)[0].endswith("can't be asked: it did not answer within 10 s.")
    assert practice.clock.now() - began == timedelta(seconds=10)
    await practice.clock.advance(60)


async def test_nobody_waits_for_a_long_limit(practice: Practice) -> None:
    practice.github.rest.scripted_faults.add(RateLimited(retry_after=3600))
    told = await practice.ask()
    (sentence,) = faults(told.findings)
    assert sentence.endswith("can't be asked: GitHub takes no requests before 2026-01-05 10:00:00 UTC.")


@pytest.mark.parametrize("body", ["[]", "{}", '{"id": 1, "permissions": 5}', "null", "<html>"])
async def test_what_is_not_github_is_told(practice: Practice, aiohttp_server: Any, body: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    stranger = web.Application()
    stranger.router.add_get("/app", answer)
    server = await aiohttp_server(stranger)
    told = await practice.ask(github_api_url=str(server.make_url("")))
    assert re.search(r"can't be asked: .* is not (what GitHub documents|JSON)\.$", faults(told.findings)[0])


@pytest.mark.parametrize("url", ["https://", "http://[", "http://x:99999"])
async def test_what_is_no_address_is_told(practice: Practice, url: str) -> None:
    assert faults((await practice.ask(github_api_url=url)).findings) == ["GITHUB_API_URL is not an address."]


# Permissions and events


async def test_what_the_app_itself_lacks_is_told_once_and_not_of_each_installation(practice: Practice) -> None:
    app = practice.github.app
    app.permissions, app.events = {"metadata": "read", "checks": "read", "actions": "write"}, ("workflow_run",)
    practice.github.installations.accept_permissions(practice.stage.installation)
    told = await practice.ask()
    assert faults(told.findings) == [
        f"The App does not ask for {each}, as app.yml does."
        for each in (
            "checks: write",
            "pull_requests: write",
            "pull_request events",
            "repository events",
            "workflow_job events",
        )
    ]
    good = [each.sentence for each in told.findings if each.good]
    assert "The App asks for more than app.yml does, which is fine: actions: write." in good
    assert any("grants and sends as much of app.yml as the App asks for" in sentence for sentence in good)


async def test_what_an_installation_has_not_granted_is_told(practice: Practice) -> None:
    practice.stage.installation.permissions = {"metadata": "read", "checks": "read", "pull_requests": "write"}
    name = f"Installation {practice.stage.installation.id} (acme)"
    wanted = [f"{name} does not grant actions: read.", f"{name} does not grant checks: write."]
    assert faults((await practice.ask()).findings) == wanted


async def test_installations_are_told_page_by_page_and_suspended_ones_named(practice: Practice) -> None:
    github = practice.github
    some = [github.installations.install(github.add_organization(f"org-{number}")) for number in range(101)]
    github.installations.suspend(some[-1])
    await github.settle()
    told = await practice.ask()
    assert faults(told.findings) == [
        f"Installation {some[-1].id} (org-100) is suspended: GitHub sends nothing from it until it is unsuspended."
    ]
    assert sum("grants and sends all" in each.sentence for each in told.findings) == 101


async def test_an_app_that_is_installed_nowhere_is_told(practice: Practice) -> None:
    practice.github.installations.delete(practice.stage.installation)
    told = await practice.ask()
    assert (faults(told.findings), told.installations) == (["The App is not installed anywhere."], True)


# Webhook and deliveries


async def test_a_webhook_that_leads_elsewhere_is_told_with_both_addresses(practice: Practice) -> None:
    practice.github.webhooks.url = f"https://u:{CANARY}@elsewhere.example.org/hook?token={CANARY}"
    (sentence,) = faults((await practice.ask(public_url="https://runledger.example.org")).findings)
    ours = f"https://runledger.example.org{WEBHOOK_PATH}"
    assert sentence == (
        f"The App's webhook leads to https://elsewhere.example.org/hook, but by PUBLIC_URL it should lead to {ours}."
        " GitHub does not tell the App's callback and setup URL: look at these there too."
    )


async def test_a_webhook_without_an_address_is_told(practice: Practice) -> None:
    practice.github.webhooks.url = None
    assert faults((await practice.ask()).findings) == ["The App's webhook has no URL, so GitHub delivers nothing."]


async def test_an_app_without_a_webhook_is_told_once(practice: Practice) -> None:
    for operation in ("apps/get-webhook-config-for-app", "apps/list-webhook-deliveries"):
        practice.github.rest.scripted_faults.add(ServerError(404), operation=operation)
    told = await practice.ask()
    assert faults(told.findings) == ["The App's webhook has no URL, so GitHub delivers nothing."]
    assert told.installations


async def test_a_newest_delivery_that_failed_is_told_with_how_many_did(practice: Practice) -> None:
    practice.github.webhooks.faults = script = ScriptedFaults()
    script.add(Fail(), event="pull_request", times=None)
    practice.stage.open()
    practice.github.ping()
    await practice.github.settle()
    assert faults((await practice.ask()).findings) == []
    practice.stage.open("another-topic")
    await practice.github.settle()
    attempts = practice.github.webhooks.log.attempts
    newest, number = attempts[-1].delivery, sum(not each.succeeded for each in attempts)
    (sentence,) = faults((await practice.ask()).findings)
    assert sentence.startswith(f"GitHub's last delivery, {newest.event}.{newest.action} 0 min ago, failed with 502, ")
    assert sentence.endswith(f"failed to connect to host; {number} of the newest {len(attempts)} failed.")


async def test_deliveries_of_long_ago_are_not_told(practice: Practice) -> None:
    await practice.clock.advance(timedelta(days=4).total_seconds())
    told = await practice.ask()
    assert "GitHub has delivered nothing in the last three days." in [each.sentence for each in told.findings]
