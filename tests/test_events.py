"""What is kept of deliveries before anybody parses them: never less than what something acts on."""

import json

import pytest

from bot import events

KINDS = {
    "check_run": ("completed", "created", "requested_action", "rerequested"),
    "check_suite": ("completed", "requested", "rerequested"),
    "workflow_job": ("queued", "waiting", "in_progress", "completed"),
    "workflow_run": ("requested", "in_progress", "completed"),
    "pull_request": ("opened", "labeled"),
}
CASES = [(event, action) for event, actions in KINDS.items() for action in actions]
LAID_OUT = {"as GitHub posts": (",", ":"), "with spaces": (", ", ": ")}


@pytest.mark.parametrize(("event", "action"), CASES)
@pytest.mark.parametrize("separators", LAID_OUT.values(), ids=LAID_OUT)
@pytest.mark.parametrize("is_first", [True, False], ids=["first", "last"])
def test_what_is_acted_on_may_tell(event: str, action: str, separators: tuple[str, str], is_first: bool) -> None:
    told = {"action": action, event: {"id": 1}}
    body = json.dumps(told if is_first else dict(reversed(told.items())), separators=separators).encode()
    assert events.may_tell(event, body) or not events.acts_on(event, action)


@pytest.mark.parametrize(("event", "action"), [case for case in CASES if case[0].startswith("check_")])
def test_checks_of_others_tell_nothing(event: str, action: str) -> None:
    body = json.dumps({"action": action, event: {"output": {"title": "rerequested"}}}, separators=(",", ":")).encode()
    assert events.may_tell(event, body) == events.acts_on(event, action)
