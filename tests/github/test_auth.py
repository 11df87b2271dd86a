"""Who we are to GitHub: the App's signature, and the tokens of its installations."""

import asyncio
import json
from email.utils import formatdate

import pytest

from bot.clock import ManualClock
from bot.github import Client, GitHub, apps
from bot.github.auth import AppKey, InstallationToken, InstallationTokens, Scope, Secret
from bot.github.errors import (
    GitHubUnavailable,
    InstallationGone,
    InstallationSuspended,
    RateLimited,
    Unauthorized,
    Unprocessable,
)
from tests.github.scripted import APP_ID, Answer, ScriptedGitHub, patiently

RUN = "/repos/octo/widgets/actions/runs/1"


async def ask(client: Client) -> int:
    answer = await client.get(RUN)
    identity = answer.data["id"]
    assert isinstance(identity, int)
    return identity


# The App's key


async def test_a_signature_is_kept_and_made_anew_before_it_ends(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    scripted.always("GET", "/app", Answer(body={"slug": "runledger"}))
    for seconds in (0, 300, 300, 300):
        await clock.advance(seconds)
        assert (await apps.get_app(github.app)).data == {"slug": "runledger"}
    sent = [call.headers["authorization"] for call in scripted.asked]
    assert sent[0] == sent[1]
    assert len(set(sent)) == 2
    claims = scripted.check_jwt(sent[-1])
    assert claims["exp"] - claims["iat"] == 540
    assert claims["iat"] == int(scripted.asked[-2].at) - 60


@pytest.mark.parametrize("ahead", [-7200.0, 7200.0])
async def test_a_clock_that_is_wrong_is_set_right_by_githubs(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock, ahead: float
) -> None:
    scripted.skew = ahead
    scripted.date = formatdate(clock.time() + ahead, usegmt=True)
    scripted.check_jwt = lambda authorization: {}  # type: ignore[method-assign]
    scripted.script(
        "GET", "/app", Answer(401, {"message": "'Issued at' claim ('iat') is in the future"}), Answer(body={})
    )
    await apps.get_app(github.app)
    del scripted.check_jwt
    assert scripted.check_jwt(scripted.asked[-1].headers["authorization"])
    assert len(scripted.asked) == 2


async def test_a_key_that_github_does_not_know_is_told_at_once(scripted: ScriptedGitHub, github: GitHub) -> None:
    refusal = Answer(401, {"message": "A JSON web token could not be decoded"})
    scripted.script("GET", "/app", refusal)
    with pytest.raises(Unauthorized, match="does not accept our credentials for GET /app: A JSON web token"):
        await apps.get_app(github.app)


async def test_a_signature_that_ends_on_its_way_is_made_anew(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    late = Answer(401, {"message": "'Expiration time' claim ('exp') must be in the future"})
    late.after = lambda: clock.leap(600)
    scripted.script("GET", "/app", late, Answer(body={"slug": "runledger"}))
    await patiently(scripted, apps.get_app(github.app))
    first, second = (call.headers["authorization"] for call in scripted.asked)
    assert first != second


async def test_without_a_key_the_app_says_what_is_missing(scripted: ScriptedGitHub, clock: ManualClock) -> None:
    async with GitHub(None, None, api_url=scripted.url, clock=clock) as github:
        with pytest.raises(Unauthorized, match="APP_ID and PRIVATE_KEY are not set"):
            await apps.get_app(github.app)
    assert scripted.asked == []


def test_a_key_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="must be") as caught:
        AppKey(APP_ID, "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----", ManualClock())
    assert "canary" not in str(caught.value)


# Tokens of installations


async def test_a_token_is_used_until_five_minutes_before_its_end(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    client = github.installation(7)
    for seconds in (0, 3299, 2):
        await clock.advance(seconds)
        assert await ask(client) == 1
    assert [call.path for call in scripted.token_calls] == ["/app/installations/7/access_tokens"] * 2
    assert scripted.token_calls[1].at - scripted.token_calls[0].at == 3301


async def test_a_token_lasts_as_long_by_our_clock_as_by_githubs(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    scripted.skew = -20.0
    scripted.date = formatdate(clock.time() - 20, usegmt=True)
    await ask(github.installation(7))
    await clock.advance(3290)
    await ask(github.installation(7))
    assert len(scripted.token_calls) == 1


async def test_a_thousand_uses_after_expiry_ask_for_one_token(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    client = github.installation(7)
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    await ask(client)
    await clock.advance(3600)
    tasks = [asyncio.create_task(ask(client)) for _ in range(1000)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    gathered = asyncio.gather(*tasks, return_exceptions=True)
    results = await patiently(scripted, gathered)
    assert isinstance(results[0], asyncio.CancelledError)
    assert set(results[1:]) == {1}
    assert len(scripted.token_calls) == 2


class SlowMint:
    """Makes tokens when told to, and counts."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.asked = 0
        self.fails: Exception | None = None

    async def __call__(self, scope: Scope) -> InstallationToken:
        self.asked += 1
        await self.clock.sleep(1)
        if self.fails is not None:
            raise self.fails
        now = self.clock.time()
        return InstallationToken(Secret(f"ghs_{self.asked}", now), now + 3600)


async def test_the_first_to_ask_may_leave_without_harm_to_the_rest(clock: ManualClock) -> None:
    mint = SlowMint(clock)
    tokens = InstallationTokens(mint, clock)
    tasks = [asyncio.create_task(tokens.get(Scope(7))) for _ in range(1000)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await clock.advance(0)
    await clock.advance(1)
    secrets = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(secrets[0], asyncio.CancelledError)
    assert {each.value for each in secrets[1:] if isinstance(each, Secret)} == {"ghs_1"}
    assert mint.asked == 1


async def test_a_failure_is_told_to_all_who_wait_and_not_kept(clock: ManualClock) -> None:
    mint = SlowMint(clock)
    mint.fails = InstallationSuspended("the installation is suspended")
    tokens = InstallationTokens(mint, clock)
    tasks = [asyncio.create_task(tokens.get(Scope(7))) for _ in range(3)]
    await clock.advance(0)
    await clock.advance(1)
    assert [type(task.exception()) for task in tasks] == [InstallationSuspended] * 3
    mint.fails = None
    later = asyncio.create_task(tokens.get(Scope(7)))
    await clock.advance(0)
    await clock.advance(1)
    assert (await later).value == "ghs_2"


async def test_closing_ends_those_who_wait(clock: ManualClock) -> None:
    tokens = InstallationTokens(SlowMint(clock), clock)
    task = asyncio.create_task(tokens.get(Scope(7)))
    await clock.advance(0)
    await tokens.close()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_short_lived_token_is_used_for_half_of_its_life(clock: ManualClock) -> None:
    now = clock.time()

    async def mint(scope: Scope) -> InstallationToken:
        return InstallationToken(Secret("ghs_short", now), now + 100)

    tokens = InstallationTokens(mint, clock)
    await tokens.get(Scope(7))
    assert tokens.kept(Scope(7)) is not None
    await clock.advance(51)
    assert tokens.kept(Scope(7)) is None


async def test_each_installation_and_each_narrowing_has_a_token_of_its_own(
    scripted: ScriptedGitHub, github: GitHub
) -> None:
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    narrow = {"permissions": {"actions": "read"}, "repositories": ("widgets", "gadgets")}
    clients = [
        github.installation(7),
        github.installation(8),
        github.installation(7, permissions={"actions": "read"}, repositories=("widgets", "gadgets")),
        github.installation(7, permissions={"actions": "read"}, repositories=("gadgets", "widgets")),
    ]
    for client in clients:
        await ask(client)
    assert [(call.path.split("/")[3], json.loads(call.body)) for call in scripted.token_calls] == [
        ("7", {}),
        ("8", {}),
        ("7", {**narrow, "repositories": ["gadgets", "widgets"]}),
    ]


async def test_a_fresh_token_that_is_not_known_yet_is_tried_once_more(
    scripted: ScriptedGitHub, github: GitHub, clock: ManualClock
) -> None:
    scripted.script("GET", RUN, Answer(401, {"message": "Bad credentials"}), Answer(body={"id": 1}))
    assert await patiently(scripted, ask(github.installation(7))) == 1
    first, second = scripted.calls(RUN)
    assert first.headers["authorization"] == second.headers["authorization"]
    assert second.at - first.at == 5
    assert len(scripted.token_calls) == 1


async def test_a_fresh_token_refused_twice_is_dropped(scripted: ScriptedGitHub, github: GitHub) -> None:
    refusal = Answer(401, {"message": "Bad credentials"})
    scripted.script("GET", RUN, refusal, refusal, Answer(body={"id": 1}))
    with pytest.raises(Unauthorized):
        await patiently(scripted, ask(github.installation(7)))
    assert await patiently(scripted, ask(github.installation(7))) == 1
    assert len(scripted.token_calls) == 2


async def test_a_token_revoked_later_is_replaced(scripted: ScriptedGitHub, github: GitHub, clock: ManualClock) -> None:
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    await ask(github.installation(7))
    await clock.advance(120)
    scripted.tokens[0] = "revoked"
    assert await asyncio.gather(*(ask(github.installation(7)) for _ in range(20))) == [1] * 20
    assert len(scripted.token_calls) == 2


async def test_an_installation_that_is_gone_or_suspended_says_so(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.token_answers += [
        Answer(404, {"message": "Not Found"}),
        Answer(403, {"message": "This installation has been suspended"}),
        Answer(422, {"message": "The permissions requested are not granted to this installation."}),
        Answer(201, {"token": "ghs_x"}),
        Answer(201, {"token": "ghs_x", "expires_at": "2001-01-01T00:00:00Z"}),
    ]
    expected = [InstallationGone, InstallationSuspended, Unprocessable, GitHubUnavailable, GitHubUnavailable]
    for kind in expected:
        with pytest.raises(kind):
            await patiently(scripted, ask(github.installation(7)))
    assert scripted.calls() == []


async def test_an_installation_suspended_meanwhile_says_so_too(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.script("GET", RUN, Answer(403, {"message": "This installation has been suspended"}))
    with pytest.raises(InstallationSuspended):
        await ask(github.installation(7))


async def test_asking_for_a_token_again_after_a_fault_does_no_harm(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.token_answers += [Answer(502, {}), Answer(cut=True)]
    scripted.script("GET", RUN, Answer(body={"id": 1}))
    assert await patiently(scripted, ask(github.installation(7))) == 1
    assert len(scripted.token_calls) == 3


async def test_nobody_waits_an_hour_for_a_token(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.token_answers.append(Answer(403, {"message": "API rate limit exceeded"}, {"Retry-After": "3600"}))
    with pytest.raises(RateLimited):
        await ask(github.installation(7))


async def test_what_is_forgotten_is_asked_for_again(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.always("GET", RUN, Answer(body={"id": 1}))
    for _ in range(2):
        await ask(github.installation(7))
        github.forget(7)
    assert len(scripted.token_calls) == 2
