"""What is done, to be done or broken, by tables: nothing here asks anybody."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bot.checks.answers import Account, Installation
from bot.checks.findings import About, Finding, fault, good, on
from bot.checks.github import Told
from bot.checks.kept import judge_secret_key
from bot.settings import Settings
from bot.setup.progress import Progress
from bot.setup.steps import Known, State, Step, is_over, steps_of
from bot.store.queries.progress import History, Installed

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = "a key of more than thirty-two characters"
OURS = "https://runledger.example.org"
MINUTE = timedelta(minutes=1)
BEFORE = {
    "base": "done",
    "register": "to do",
    "install": "to do",
    "hear": "to do",
    "fetch": "to do",
    "sign-in": "to do",
}


def settings(**changes: Any) -> Settings:
    given: dict[str, Any] = {"secret_key": KEY} | changes
    return Settings(_env_file=None, **given)


def registered(**changes: Any) -> Settings:
    """Return settings as they are once there is an App; its key is of no matter here."""
    told = {
        "app_id": 1,
        "private_key": SecretStr("a key"),
        "webhook_secret": SecretStr("a secret"),
        "github_client_id": "Iv1",
        "github_client_secret": SecretStr("another"),
        "public_url": OURS,
    }
    return settings().model_copy(update=told | changes)


def told(*findings: Finding, installed: timedelta | None = None, suspended: bool = False) -> Told:
    """Return GitHub's word; the App was `installed` so long ago."""
    if installed is None:
        return Told(list(findings))
    since = NOW - installed
    shown = Installation(71, {}, [], Account("acme"), since, since if suspended else None)
    return Told(list(findings), installations=True, installed=[shown])


def progress(*histories: History, heard: timedelta | None = None, worker: bool = True) -> Progress:
    """Return the record's word; the last delivery came `heard` ago."""
    installed = [] if heard is None else [Installed(71, 1, "acme", "active", NOW - heard)]
    return Progress(has_worker=worker, installed=installed, histories=list(histories))


def history(state: str | None, error: str | None = None) -> History:
    return History(f"acme/{state}", state, 5, 9, error)


def known(given: Settings | None = None, word: Told | None = None, record: Progress | None = None) -> Known:
    given = given or registered()
    return Known(
        settings=given, kept=judge_secret_key(given), told=word or told(), progress=record or progress(), now=NOW
    )


def states(what: Known) -> dict[str, str]:
    return {step.key: step.state.value for step in steps_of(what)}


def step(what: Known, key: str) -> Step:
    return next(each for each in steps_of(what) if each.key == key)


def test_at_the_beginning_all_is_to_do() -> None:
    what = known(settings())
    assert states(what) == BEFORE
    assert "PUBLIC_URL is not set" in step(what, "base").said[-1]
    assert not is_over(steps_of(what))


@pytest.mark.parametrize(
    ("given", "state", "words"),
    [
        (Settings(_env_file=None), State.BROKEN, "SECRET_KEY is not set"),
        (settings(secret_key="short"), State.BROKEN, "shorter than 32"),
        (settings(public_url=OURS), State.DONE, OURS),
        (settings(public_url="http://localhost:8080"), State.DONE, "only a GitHub on the same machine"),
    ],
)
def test_secret_key_and_address(given: Settings, state: State, words: str) -> None:
    base = step(known(given), "base")
    assert base.state is state
    assert words in " ".join(base.said)


@pytest.mark.parametrize(
    "sentence", ["GitHub (api.github.com) can't be asked: it is away.", "GitHub does not take PRIVATE_KEY as a key."]
)
def test_an_app_that_github_does_not_answer_to_is_broken(sentence: str) -> None:
    what = known(word=told(*on(About.APP, fault(sentence))))
    assert step(what, "register") == Step("register", "Register the App", State.BROKEN, [sentence])


def test_an_app_that_the_environment_names_in_part_is_broken() -> None:
    assert step(known(settings(webhook_secret="of an App")), "register").state is State.BROKEN


def test_what_github_says_of_the_app_is_shown() -> None:
    findings = on(About.APP, good("GitHub takes it."), good("It asks for all."))
    assert step(known(word=told(*findings)), "register").said == ["GitHub takes it.", "It asks for all."]


def test_installed_where_github_says_so() -> None:
    what = known(word=told(installed=timedelta(seconds=5)))
    assert states(what) == BEFORE | {"register": "done", "install": "done"}
    assert step(what, "install").said == ["It is installed on acme."]


def test_installed_where_only_the_record_says_so() -> None:
    away = told(*on(About.APP, fault("GitHub can't be asked.")))
    assert step(known(word=away, record=progress(heard=MINUTE)), "install").state is State.DONE


def test_a_suspended_installation_is_broken() -> None:
    findings = on(About.INSTALLATIONS, fault("It is suspended."))
    shown = step(known(word=told(*findings, installed=MINUTE, suspended=True)), "install")
    assert (shown.state, shown.said[0]) == (State.BROKEN, "It is suspended.")


@pytest.mark.parametrize(("since", "state"), [(MINUTE, State.TODO), (MINUTE + timedelta(seconds=1), State.BROKEN)])
def test_deliveries_that_do_not_come(since: timedelta, state: State) -> None:
    hear = step(known(word=told(installed=since)), "hear")
    assert hear.state is state
    assert (f"{OURS}/api/github/webhooks" in " ".join(hear.said)) == (state is State.BROKEN)


def test_why_deliveries_do_not_come_is_said() -> None:
    failed = on(About.DELIVERIES, fault("GitHub's last delivery failed with 502."))
    hear = step(known(word=told(*failed, installed=2 * MINUTE)), "hear")
    assert hear.said[-1] == "GitHub's last delivery failed with 502."
    # The greeting that GitHub sends to a new App comes before anybody could have known it.
    assert step(known(word=told(*failed)), "hear").state is State.TODO


@pytest.mark.parametrize("heard", [None, MINUTE])
def test_a_webhook_that_leads_elsewhere_is_broken(heard: timedelta | None) -> None:
    elsewhere = on(About.WEBHOOK, fault("The App's webhook leads elsewhere."))
    hear = step(known(word=told(*elsewhere, installed=MINUTE), record=progress(heard=heard)), "hear")
    assert (hear.state, hear.said[0]) == (State.BROKEN, "The App's webhook leads elsewhere.")


def test_deliveries_that_nobody_handles_are_broken() -> None:
    hear = step(known(word=told(installed=2 * MINUTE), record=progress(worker=False)), "hear")
    assert hear.state is State.BROKEN
    assert hear.said[0].startswith("No worker is alive")


def test_deliveries_that_have_come() -> None:
    hear = step(known(word=told(installed=MINUTE), record=progress(heard=timedelta(seconds=2))), "hear")
    assert (hear.state, hear.said) == (State.DONE, ["The last one came just now."])


@pytest.mark.parametrize(
    ("histories", "state", "words"),
    [
        ([history(None)], State.TODO, "0 of 1 repositories"),
        ([history("done"), history("running")], State.UNDER_WAY, "1 of 2 repositories are done, 10 runs"),
        ([history("done")], State.DONE, "1 of 1 repositories"),
        ([history("failed", "GitHub tells none")], State.BROKEN, "acme/failed is not whole: GitHub tells none."),
    ],
)
def test_the_history(histories: list[History], state: State, words: str) -> None:
    fetch = step(known(record=progress(*histories, heard=MINUTE)), "fetch")
    assert fetch.state is state
    assert words in " ".join(fetch.said)


def test_nobody_can_sign_in_without_a_client() -> None:
    assert step(known(registered(github_client_secret=None)), "sign-in").state is State.BROKEN


def test_it_is_over_when_only_signing_in_is_left() -> None:
    steps = steps_of(known(word=told(installed=MINUTE), record=progress(history("done"), heard=MINUTE)))
    assert is_over(steps)
    assert steps[-1].state is State.TODO
