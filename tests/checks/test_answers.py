"""What is said of GitHub's answers, by tables and properties."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.checks.answers import WEBHOOK_PATH, Attempt, Hook, Installation, judge_deliveries, judge_hook, read
from bot.checks.findings import plain, words
from bot.checks.manifest import Grants, asked_for
from bot.web.routes import ROUTES
from tests.checks.conftest import faults

PUBLIC = "https://runledger.example.org"
OURS = PUBLIC + WEBHOOK_PATH
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)

levels = st.sampled_from(["none", "read", "write", "admin"])
grants = st.builds(
    Grants,
    st.dictionaries(st.sampled_from(["actions", "checks", "metadata", "pull_requests"]), levels),
    st.lists(st.sampled_from(["workflow_run", "workflow_job", "repository"]), unique=True),
)


def test_the_webhook_is_looked_for_where_it_is_served() -> None:
    assert WEBHOOK_PATH in [route.path for route in ROUTES]


@pytest.mark.parametrize(
    ("hook", "public_url", "wrong"),
    [
        ({"url": OURS}, PUBLIC, []),
        ({"url": OURS}, None, []),
        ({"url": OURS, "insecure_ssl": 0}, PUBLIC, []),
        ({"url": OURS, "insecure_ssl": None}, PUBLIC, []),
        ({"url": f"HTTPS://someone:else@RUNLEDGER.example.org:443{WEBHOOK_PATH}?x=1#y"}, PUBLIC, []),
        ({"url": OURS, "insecure_ssl": "1"}, PUBLIC, ["does not verify certificates"]),
        ({"url": OURS, "insecure_ssl": 1.0}, PUBLIC, ["does not verify certificates"]),
        ({"url": OURS.replace("https", "http"), "insecure_ssl": "1"}, PUBLIC.replace("https", "http"), []),
        ({"url": OURS, "content_type": "form"}, PUBLIC, ["sends form, where"]),
        ({"url": OURS, "content_type": None}, PUBLIC, ["sends form, where"]),
        ({"url": OURS + "/"}, PUBLIC, [f"leads to {OURS}/, but by PUBLIC_URL it should lead to {OURS}."]),
        ({"url": OURS.replace("https", "http")}, PUBLIC, ["but by PUBLIC_URL"]),
        ({"url": PUBLIC}, PUBLIC, ["but by PUBLIC_URL"]),
        ({"url": "https://["}, PUBLIC, ["leads to an address that can't be read, but"]),
        ({"url": ""}, PUBLIC, ["has no URL"]),
        ({"url": None}, PUBLIC, ["has no URL"]),
        ({}, PUBLIC, ["has no URL"]),
    ],
)
def test_each_fault_of_a_webhook_is_a_sentence(hook: dict[str, Any], public_url: str | None, wrong: list[str]) -> None:
    found = faults(judge_hook(read({"content_type": "json", "insecure_ssl": "0"} | hook, Hook), public_url))
    assert len(found) == len(wrong)
    assert all(part in sentence for part, sentence in zip(wrong, found, strict=True))


def test_a_webhook_is_compared_with_nothing_where_the_public_address_is_not_set() -> None:
    (finding,) = judge_hook(Hook(OURS, "json", "0"), None)
    assert finding.good
    assert "PUBLIC_URL is not set" in finding.sentence


@pytest.mark.parametrize(
    ("code", "well"), [(200, True), (204, True), (199, False), (302, False), (500, False), (0, False)]
)
def test_a_delivery_succeeded_when_it_was_answered_with_2xx(code: int, well: bool) -> None:
    (finding,) = judge_deliveries([Attempt("ping", "said", code, NOW)], NOW)
    assert finding.good == well
    assert str(code) in finding.sentence


def test_what_others_say_stays_on_its_line_and_tells_no_secret() -> None:
    status = "no\r\n\x1b[31mFAULT Bearer ghs_canary0000"
    (finding,) = judge_deliveries([Attempt("ping", status, 500, NOW, "x\ny")], NOW)
    assert finding.sentence.isprintable()
    assert "ghs_canary" not in finding.sentence
    assert len(words("x" * 5000)) < 500


@given(st.text())
def test_every_text_can_be_shown_as_an_address(url: str) -> None:
    assert isinstance(plain(url), str)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.github.com", "https://api.github.com"),
        ("http://u:p@127.0.0.1:8081/x?y", "http://127.0.0.1:8081/x"),
        ("http://127.0.0.1:80/x", "http://127.0.0.1/x"),
        ("https://[::1]:80/x", "https://[::1]:80/x"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_or_goes_without_saying(url: str, shown: str) -> None:
    assert plain(url) == shown


@pytest.mark.parametrize(
    ("account", "name"),
    [
        ({"login": "acme"}, "Installation 7 (acme)"),
        ({"slug": "an-enterprise", "name": "An enterprise"}, "Installation 7 (an-enterprise)"),
        ({}, "Installation 7"),
        (None, "Installation 7"),
    ],
)
def test_an_installation_is_called_by_its_account(account: dict[str, str] | None, name: str) -> None:
    body = {"id": 7, "permissions": {}, "events": [], "account": account, "suspended_at": None}
    assert read(body, Installation).name == name


@given(grants, grants)
def test_what_is_within_others_is_not_beyond_them(these: Grants, others: Grants) -> None:
    within = these.within(others)
    assert within.beyond(others).listed() == []
    assert within.beyond(these).listed() == []
    assert these.within(these).beyond(these).listed() == these.beyond(these).listed() == []


@given(grants, grants)
def test_what_is_beyond_others_is_what_is_not_within_them(these: Grants, others: Grants) -> None:
    beyond = these.beyond(others)
    assert these.beyond(these.within(others)).listed() == beyond.listed()
    assert set(beyond.listed()) <= set(these.listed())


def test_the_manifest_asks_for_something() -> None:
    assert asked_for().rank("checks") == 2
    assert "workflow_job" in asked_for().events


def test_the_greeting_of_a_new_app_is_no_failure() -> None:
    greeting = Attempt("ping", "Invalid HTTP Response: 401", 401, NOW)
    (alone,) = judge_deliveries([greeting], NOW)
    assert alone.good
    (with_another,) = judge_deliveries([greeting, Attempt("installation", "said", 401, NOW, "created")], NOW)
    assert not with_another.good
