"""Annotations tell of a failure where they name all that the failed step says; else its log does."""

import pytest

from bot.domain.excerpts import find_excerpt
from bot.domain.feedback.remarks import Annotation, need_no_log, said_by_annotations, said_by_both
from bot.domain.feedback.report import Source
from bot.domain.feedback.said import Said

TYPES = "Type 'A' is not assignable to type 'B'."
ON_ITS_LINE = Annotation("failure", "src/a.ts", 3, 3, TYPES)
OTHER = Annotation("failure", "src/b.ts", 9, 9, "Cannot find name 'sent'.")
LAST_WORD = Annotation("failure", ".github", 1, 1, "Process completed with exit code 1.")
A_TEST = Annotation("failure", "tests/test_a.py", 7, 7, "AssertionError: no", "FAILED tests/test_a.py::test_b")
SAID_A = f"##[error]src/a.ts(3,7): error TS2322: {TYPES}"
SAID_B = "##[error]src/b.ts(9,1): error TS2304: Cannot find name 'sent'."
FAILED = "FAILED tests/test_a.py::test_b - AssertionError: no"


def log(*said: str) -> str:
    lines = ("##[group]Run make check", "##[endgroup]", *said, "##[error]Process completed with exit code 1.")
    return "".join(f"2026-01-05T09:00:01.0000000Z {line}\n" for line in lines)


def both(annotations: list[Annotation], *said: str) -> Said:
    noted, excerpt = said_by_annotations(annotations), find_excerpt(log(*said))
    assert noted is not None
    assert excerpt is not None
    return said_by_both(annotations, noted, excerpt)


@pytest.mark.parametrize(
    ("annotations", "said", "source"),
    [
        ([ON_ITS_LINE, LAST_WORD], [SAID_A], Source.ANNOTATIONS),
        ([ON_ITS_LINE, OTHER, LAST_WORD], [SAID_A, SAID_B], Source.ANNOTATIONS),
        ([ON_ITS_LINE, LAST_WORD], [SAID_A, SAID_B], Source.LOG),
        ([ON_ITS_LINE, LAST_WORD], [FAILED], Source.LOG),
        ([ON_ITS_LINE, LAST_WORD], [SAID_A, FAILED], Source.LOG),
        ([ON_ITS_LINE, LAST_WORD], ["Some checks did not pass"], Source.ANNOTATIONS),
    ],
    ids=["the one", "both", "one of two", "another step's", "beside a test", "a log that names nothing"],
)
def test_the_log_is_told_where_it_says_more(annotations: list[Annotation], said: list[str], source: Source) -> None:
    assert both(annotations, *said).source is source


def test_a_named_test_and_a_job_without_a_failed_step_need_no_log() -> None:
    test, finding = said_by_annotations([A_TEST]), said_by_annotations([ON_ITS_LINE])
    assert test is not None
    assert finding is not None
    assert need_no_log(test, a_step_failed=True)
    assert not need_no_log(finding, a_step_failed=True)
    assert need_no_log(finding, a_step_failed=False)
