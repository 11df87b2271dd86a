"""Clicks among what GitHub tells of check runs: which deliveries are one, and what they tell."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import events
from bot.domain import facts
from tests.domain.sent import GUID, changed, sent, told, without

CLICKS = [("check_run", "rerequested"), ("check_run", "requested_action"), ("check_suite", "rerequested")]
OTHERS = [
    ("check_run", "created"),
    ("check_run", "completed"),
    ("check_suite", "completed"),
    ("check_suite", "requested"),
    ("check_suite", "requested_action"),
    ("check_suite", None),
]


def wanted(event: str, body: Any) -> facts.ActionWanted | None:
    found = [fact for fact in told(event, body) if isinstance(fact, facts.ActionWanted)]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.mark.parametrize(
    ("event", "action", "kind"),
    [
        (*click, kind)
        for click, kind in zip(CLICKS, ("rerequest_check", "rerun_failed", "rerequest_suite"), strict=True)
    ],
)
def test_a_click_tells_what_is_wanted_by_whom_and_when(event: str, action: str, kind: str) -> None:
    assert wanted(event, {**sent(event), "action": action}) == facts.ActionWanted(
        guid=GUID,
        kind=kind,  # type: ignore[arg-type]
        repository_id=10,
        head_sha="a" * 40,
        app_id=9,
        sender_id=583231,
        sender_login="octocat",
        # When GitHub made the delivery, however late it came.
        wanted_at=datetime(2026, 11, 2, 12, tzinfo=UTC),
    )


@pytest.mark.parametrize(("event", "action"), OTHERS)
def test_nothing_else_is_told(event: str, action: str | None) -> None:
    assert told(event, {**sent(event), "action": action}) == []
    assert told(event, {"action": action, "whatever": "there is"}) == []


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("check_run", changed(sent("check_run"), ("requested_action", "identifier"), "another")),
        ("check_run", changed(sent("check_run"), ("requested_action",), None)),
        ("check_run", without(sent("check_run"), ("check_run", "app"))),
        ("check_run", changed(sent("check_run"), ("check_run", "app"), None)),
        ("check_suite", changed(sent("check_suite"), ("check_suite", "app"), None)),
    ],
)
def test_what_can_not_be_ours_tells_nothing(event: str, body: Any) -> None:
    assert told(event, body) == []


def test_of_missed_deliveries_only_clicks_are_worth_asking_for() -> None:
    assert all(events.acts_on(*click) for click in CLICKS)
    assert not any(events.acts_on(*other) for other in OTHERS)


@pytest.mark.parametrize(("event", "action"), CLICKS)
@given(st.data())
def test_no_click_is_let_go_however_its_body_is_written(event: str, action: str, data: st.DataObject) -> None:
    body = {**sent(event), "action": action}
    shuffled = dict(data.draw(st.permutations(list(body.items()))))
    indent, ascii_only = data.draw(st.none() | st.integers(0, 4)), data.draw(st.booleans())
    separators = data.draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    written = json.dumps(shuffled, indent=indent, ensure_ascii=ascii_only, separators=separators)
    assert events.may_tell(event, written.encode())


def test_nearly_all_else_is_let_go_unread() -> None:
    for event, action in OTHERS:
        other = without(sent(event), ("requested_action",)) if event == "check_run" else sent(event)
        is_kept = events.may_tell(event, json.dumps({**other, "action": action}).encode())
        assert not is_kept, (event, action)
    for event in events.ACTED_ON - {"check_run", "check_suite"}:
        assert events.may_tell(event, b"{}")
