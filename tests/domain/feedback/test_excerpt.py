"""Which lines of a failure are worth showing."""

import pytest

from bot.domain.feedback.report import Conclusion, Failure, Source
from bot.domain.feedback.words.check_text import check_text
from bot.domain.feedback.words.excerpt import anchor_of, lines_of
from tests.domain.feedback.reports import cause, failure, report

ANCHOR = "E       AssertionError: assert 3 == 4"
TEST = "tests/test_transfer.py::test_resumes"
BEFORE = ("    def test_resumes():", ">       assert len(sent.parts) == sent.expected", ANCHOR)
PLACE = "tests/test_transfer.py:88: AssertionError"
WARNINGS = ("=============== warnings summary ===============", "tests/test_views.py:12: DeprecationWarning: old")
SUMMARY = "=========== short test summary info ============"
COUNTS = "====== 1 failed, 210 passed, 1 skipped in 12.31s ======"
ENDED = "Process completed with exit code 1."
OTHER = "FAILED tests/test_views.py::test_other - KeyError: 'x'"


def said(*after: str, **told: object) -> Failure:
    return failure(ANCHOR, **{"test": TEST, "lines": BEFORE + after} | told)


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        ((PLACE, *WARNINGS, SUMMARY, f"FAILED {TEST} - AssertionError: assert 3 == 4", COUNTS, ENDED), (PLACE,)),
        ((PLACE, "##[error]" + ENDED), (PLACE,)),
        ((PLACE, "Process completed with exit code 2."), (PLACE, "Process completed with exit code 2.")),
        ((PLACE, SUMMARY, f"FAILED {TEST}", OTHER, "1 failed in 0.12s"), (PLACE, SUMMARY, OTHER)),
        ((PLACE, "1 failed, 2 passed, the rest is not known"), (PLACE, "1 failed, 2 passed, the rest is not known")),
        ((PLACE, "…", ENDED), (PLACE,)),
        ((), ()),
    ],
)
def test_what_is_told_anyway_is_not_repeated_behind_the_anchor(after: tuple[str, ...], shown: tuple[str, ...]) -> None:
    assert tuple(lines_of(said(*after))) == BEFORE + shown


def test_a_further_anchor_stays() -> None:
    further = "E       ValueError: another"
    assert tuple(lines_of(said(*WARNINGS, "…", further, further=(further,)))) == (*BEFORE, "…", further)


def test_lines_without_the_anchor_stay_as_they_are() -> None:
    assert tuple(lines_of(failure(None, lines=(PLACE, ENDED)))) == (PLACE, ENDED)


@pytest.mark.parametrize("lines", [(ANCHOR,), (ANCHOR, ENDED), ()])
def test_the_anchor_alone_is_no_excerpt(lines: tuple[str, ...]) -> None:
    assert lines_of(failure(ANCHOR, lines=lines)) == ()


def test_a_long_anchor_alone_is_shown_as_far_as_a_line_is() -> None:
    summary = check_text(
        report(cause(said=failure("x" * 300, lines=("x" * 300,))), conclusion=Conclusion.FAILURE)
    ).summary
    assert f"#### `{'x' * 239}…`" in summary
    assert "```" not in summary


@pytest.mark.parametrize(
    ("anchor", "shown"),
    [
        ("Ruff (F841): src/a.py:88:5: F841 Local variable", "src/a.py:88:5: F841 Local variable"),
        ("src/a.py:8: Ruff (F841): F841 Local variable", "src/a.py:8: F841 Local variable"),
        ("src/a.py:8: Ruff (F841): Local variable", "src/a.py:8: Ruff (F841): Local variable"),
        ("src/a.py:8: Ruff (F84): F841 Local variable", "src/a.py:8: Ruff (F84): F841 Local variable"),
    ],
)
def test_a_title_that_only_names_the_rule_again_is_left_out(anchor: str, shown: str) -> None:
    assert anchor_of(failure(anchor, source=Source.ANNOTATIONS)) == shown
    assert anchor_of(failure(anchor, source=Source.LOG)) == anchor
