"""What is kept of a failure, whatever told it."""

import json

import pytest

from bot.domain.excerpts import Anchor, Excerpt, Told
from bot.domain.feedback.report import Source
from bot.domain.feedback.said import UNKNOWN, FailedAt, Said, Step, failed_at, failed_step, failure_of, said_by_log
from bot.domain.texts import is_storable
from bot.logs import Redactor


def test_the_step_is_the_first_that_failed() -> None:
    steps = [
        ("Set up job", "success"),
        ("Build", "cancelled"),
        ("Test", "failure"),
        ("Report", "failure"),
        (None, None),
    ]
    told = json.dumps(
        [{"name": name, "conclusion": ended, "startedAt": "2026-01-05T09:00:00Z"} for name, ended in steps]
    )
    step = failed_step(told)
    assert step is not None
    assert (step.name, step.started_at is None) == ("Test", False)
    cancelled = failed_step(json.dumps([{"name": "Build", "conclusion": "cancelled"}]))
    assert cancelled == Step("Build", "cancelled")


@pytest.mark.parametrize("steps", [None, "", "[]", "{}", "[3]", "[", '[{"name": "a", "conclusion": "success"}]'])
def test_no_step_failed_as_far_as_is_recorded(steps: str | None) -> None:
    assert failed_step(steps) is None


def test_what_a_log_tells() -> None:
    anchor = Anchor(7, "E   ValueError: no", "python")
    excerpt = Excerpt(anchor, ("a", anchor.text), (Anchor(9, "E   KeyError: 'x'", "python"),), "test_b", "pytest", 1)
    failure = failure_of(said_by_log(excerpt), FailedAt("ci.yml", "unit"), Redactor())
    assert (failure.source, failure.kind, failure.step, failure.test) == (Source.LOG, "python", "pytest", "test_b")
    assert (failure.exit_code, failure.lines) == (1, ("a", anchor.text))
    assert (failure.further, failure.is_generic) == (("E   KeyError: 'x'",), False)
    elsewhere = failure_of(said_by_log(excerpt), FailedAt("ci.yml", "unit", Step("Run tests")), Redactor())
    assert elsewhere.step == "Run tests"
    assert elsewhere.fingerprint != failure.fingerprint


@pytest.mark.parametrize(
    ("found", "is_generic"),
    [
        (Said(source=Source.STEP), True),
        (Said(source=Source.LOG, kind=UNKNOWN, anchor="Uploading the report"), True),
        (Said(source=Source.LOG, kind="shell", anchor="make: *** [Makefile:3: test] Error 1"), True),
        (Said(source=Source.LOG, kind="shell", anchor="##[error]Process completed with exit code 1.", test="t"), False),
        (Said(source=Source.LOG, kind="python", anchor="ValueError: no"), False),
    ],
)
def test_what_is_generic(found: Said, is_generic: bool) -> None:
    assert failure_of(found, FailedAt("ci.yml", "unit"), Redactor()).is_generic is is_generic


@pytest.mark.parametrize(
    ("code", "kept"), [(None, None), (1, 1), (-1, -1), (3221225477, -1073741819), (9999999999, None), (-(2**40), None)]
)
def test_exit_codes_fit(code: int | None, kept: int | None) -> None:
    found = Said(source=Source.LOG, exit_code=code)
    assert failure_of(found, FailedAt("ci.yml", "unit"), Redactor()).exit_code == kept


def test_what_is_kept_is_short_and_without_secrets() -> None:
    token = "ghp_" + "a1" * 20
    key = ("-----BEGIN RSA PRIVATE KEY-----", "c2VjcmV0", "c2VjcmV0", "-----END RSA PRIVATE KEY-----", "behind")
    found = Said(
        source=Source.LOG,
        kind="python",
        test=f"test_{token}\0",
        anchor=f"ValueError: {token} \ud800" + "x" * 1_000,
        lines=[*key, *["y" * 1_000] * 30],
        further=[token, ""],
    )
    failure = failure_of(found, FailedAt("ci.yml", "unit", Step(f"with {token}")), Redactor())
    assert failure.lines[:2] == ("[redacted]", "behind")
    assert (failure.test, failure.step, failure.further) == ("test_[redacted]", "with [redacted]", ("[redacted]",))
    assert len(failure.lines) == 20
    assert max(map(len, (failure.anchor or "", *failure.lines))) == 500
    assert token not in repr(failure)
    assert is_storable(failure.anchor or "")


def test_steps_that_failed_later_are_among_what_failed() -> None:
    def told(*names: str) -> set[str]:
        steps = [{"name": name, "conclusion": "failure"} for name in names]
        found = Said(source=Source.LOG, kind="python", test="test_a", told=Told(("test_a",), (), is_whole=True))
        at = failed_at("ci.yml", "unit", json.dumps([{"name": "Set up job", "conclusion": "success"}, *steps]))
        return set(failure_of(found, at, Redactor()).fingerprints or ())

    assert told("Run tests") < told("Run tests", "Lint")
    assert len(told("Run tests", "Lint", "Report")) == 3
