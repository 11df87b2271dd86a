"""What annotations tell: which of them names a cause, what is kept of it, and which remarks a check run makes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.excerpts import Told
from bot.domain.feedback.remarks import (
    LONGEST_MESSAGE,
    MOST_KEPT,
    MOST_TOLD,
    Annotation,
    check_annotations,
    cut_short,
    exit_code_of,
    read_annotations,
    said_by_annotations,
)
from bot.domain.feedback.report import Source
from bot.domain.feedback.said import FailedAt, Said, failure_of
from bot.domain.texts import is_storable
from bot.logs import Redactor

RUNNER_FAILED = "Process completed with exit code 1."


def sent(message: str, path: str = ".github", line: int = 1, level: str = "failure", **more: Any) -> dict[str, Any]:
    """Return an annotation as GitHub lists it."""
    place = {"path": path, "start_line": line, "end_line": line, "start_column": None, "end_column": None}
    return {**place, "annotation_level": level, "message": message, "title": "", "raw_details": "", **more}


def said(*annotations: dict[str, Any]) -> Said | None:
    return said_by_annotations(read_annotations(annotations))


def remarks(*annotations: dict[str, Any]) -> list[dict[str, Any]]:
    return [remark.body for remark in check_annotations([read_annotations(annotations)])]


# The cause


@pytest.mark.parametrize(
    "message",
    [
        RUNNER_FAILED,
        "Process completed with exit code -1073741819.",
        "The operation was canceled.",
        "Error: Tests failed",
        "Build failed",
        "The process '/usr/bin/npm' failed with exit code 1",
        "12 problems (3 errors, 9 warnings)",
    ],
)
def test_what_any_failure_says_is_no_cause(message: str) -> None:
    assert said(sent(message)) is None


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "The self-hosted runner: build-7 lost communication with the server. Verify the machine is running.",
            "runner",
        ),
        ("The hosted runner lost communication with the server.", "runner"),
        ("The runner has received a shutdown signal. This can happen when the runner service is stopped.", "runner"),
        ("The job was not acquired by Runner of type hosted even after multiple attempts", "runner"),
        ("The job has exceeded the maximum execution time of 6h0m0s", "runner"),
        ("The action 'Run tests' has timed out after 10 minutes.", "runner"),
        ("No space left on device", "resources"),
        ("Unable to resolve action `actions/nope@v9`, unable to find version `v9`", "actions"),
        ("Dependencies lock file is not found in /home/runner/work/rocket.", "actions"),
    ],
)
def test_the_kind_is_that_of_the_rule(message: str, kind: str) -> None:
    found = said(sent(RUNNER_FAILED), sent(message))
    assert found is not None
    assert (found.source, found.kind, found.anchor) == (Source.ANNOTATIONS, kind, message)
    assert found.exit_code == 1


def test_warnings_and_notices_tell_no_cause() -> None:
    assert said(sent("Node.js 16 is deprecated", level="warning"), sent("error: no", level="notice")) is None


def test_the_anchor_says_where_and_of_what() -> None:
    found = said(
        sent("AssertionError: expected 3 to be 4\n\n at line 12", "src/a.test.ts", 12, title="upload > resumes")
    )
    assert found is not None
    assert found.anchor == "src/a.test.ts:12: upload > resumes: AssertionError: expected 3 to be 4"
    assert found.lines == (found.anchor, " at line 12")


def test_what_a_message_says_itself_is_not_said_twice() -> None:
    found = said(sent("src/a.py:88:5: F841 unused `part`", "src/a.py", 88, title="F841"))
    assert found is not None
    assert found.anchor == "src/a.py:88:5: F841 unused `part`"


def test_the_line_of_a_message_that_tells_most_is_the_anchor() -> None:
    lines = [f"context {number}" for number in range(10)]
    found = said(sent("\n".join([*lines, "FAILED tests/test_a.py::test_b - ValueError: no", *lines * 3])))
    assert found is not None
    assert found.anchor == "FAILED tests/test_a.py::test_b - ValueError: no"
    assert found.test == "tests/test_a.py::test_b"
    assert found.lines[:6] == (*lines[5:], found.anchor)
    assert len(found.lines) == 20


def test_others_come_behind_each_once() -> None:
    same = [sent("unused import", "src/a.py", line) for line in (1, 2, 3)]
    others = [sent("unused import", f"src/{name}.py") for name in "bcd"]
    found = said(*same, *others)
    assert found is not None
    assert found.further == ("src/b.py:1: unused import", "src/c.py:1: unused import")
    assert found.lines == ("src/a.py:1: unused import", "…", found.further[0], "…", found.further[1])


def test_the_exit_code_is_the_runners() -> None:
    assert exit_code_of(read_annotations([sent("exit code 3"), sent("Process completed with exit code 137.")])) == 137
    assert exit_code_of(read_annotations([sent("broken")])) is None


# Reading what GitHub lists


def test_what_is_not_as_documented_is_passed_over() -> None:
    bad = ["text", None, 3, {}, {"annotation_level": "failure", "message": 3}, {**sent("x"), "annotation_level": "odd"}]
    assert read_annotations([*bad, sent(""), sent("kept")]) == (Annotation("failure", ".github", 1, 1, "kept"),)


def test_failures_are_kept_first_and_few_of_all() -> None:
    listed = [sent(f"{number}", level="notice") for number in range(100)] + [
        sent("w", level="warning"),
        sent("f"),
        sent("f"),
    ]
    kept = read_annotations(listed)
    assert [each.message for each in kept[:3]] == ["f", "w", "0"]
    assert len(kept) == MOST_KEPT


def test_what_is_long_is_cut() -> None:
    (kept,) = read_annotations([sent("x" * 10_000, title="t" * 1_000, path="p" * 5_000)])
    assert (len(kept.message), len(kept.title), kept.path) == (LONGEST_MESSAGE, 255, "")


@pytest.mark.parametrize(
    ("lines", "columns", "kept"),
    [
        ((3, 3), (1, 5), (3, 3, 1, 5)),
        ((3, 4), (1, 5), (3, 4, None, None)),
        ((3, 3), (5, 1), (3, 3, None, None)),
        ((3, 3), (5, None), (3, 3, None, None)),
        ((3, 3), (0, 2), (3, 3, None, None)),
        ((0, 0), (None, None), (1, 1, None, None)),
        ((5, 2), (None, None), (5, 5, None, None)),
        ((None, None), (None, None), (1, 1, None, None)),
        ((2**70, 2**71), (None, None), (2**31 - 1, 2**31 - 1, None, None)),
    ],
)
def test_lines_and_columns(lines: tuple[Any, Any], columns: tuple[Any, Any], kept: tuple[Any, ...]) -> None:
    listed = sent("x", start_line=lines[0], end_line=lines[1], start_column=columns[0], end_column=columns[1])
    (each,) = read_annotations([listed])
    assert (each.start_line, each.end_line, each.start_column, each.end_column) == kept


TEXTS = st.text(st.characters(codec=None), max_size=80) | st.sampled_from(["\0", "\ud800", RUNNER_FAILED, "error: no"])
LISTED = st.builds(
    sent,
    TEXTS,
    TEXTS | st.sampled_from(["src/a.py", "src/b.py", ".github", "/etc/passwd"]),
    st.integers(-5, 2**65),
    st.sampled_from(["failure", "warning", "notice"]),
    title=TEXTS,
    start_column=st.none() | st.integers(-1, 9),
    end_column=st.none() | st.integers(-1, 9),
)


@given(st.lists(LISTED, max_size=30))
def test_whatever_is_listed_can_be_kept(listed: list[dict[str, Any]]) -> None:
    kept = read_annotations(listed)
    for each in kept:
        assert is_storable(each.path + each.message + each.title)
    assert read_annotations([{**_as_sent(each)} for each in kept]) == kept
    found = said_by_annotations(kept)
    if found is not None:
        failure = failure_of(found, FailedAt("ci.yml", "unit"), Redactor())
        assert failure.anchor in failure.lines
        assert 0 < len(failure.lines) <= 20
        assert len(failure.further) <= 2
        assert not failure.is_generic


def _as_sent(each: Annotation) -> dict[str, Any]:
    columns = {"start_column": each.start_column, "end_column": each.end_column}
    place = {"path": each.path, "start_line": each.start_line, "end_line": each.end_line, **columns}
    return {**place, "annotation_level": each.level, "message": each.message, "title": each.title}


# What a check run says


@pytest.mark.parametrize(
    "path",
    ["", ".", ".github", "/usr/lib/a.py", "C:\\work\\a.cs", "\\\\host\\a", "../a.py", "a/../../b", "~/a", "x://a"],
)
def test_what_is_about_no_file_of_the_repository_is_left_out(path: str) -> None:
    assert remarks(sent("broken", path)) == []


def test_a_remark_is_as_github_takes_it() -> None:
    on_one = sent("no", "src/a.py", 3, start_column=2, end_column=4, title="F841")
    on_two = sent("no", ".github/workflows/ci.yml", 3, end_line=4, start_column=2, end_column=4)
    body = {"start_line": 3, "end_line": 3, "annotation_level": "failure", "message": "no"}
    assert remarks(on_one, on_two) == [
        {**body, "path": ".github/workflows/ci.yml", "end_line": 4},
        {**body, "path": "src/a.py", "start_column": 2, "end_column": 4, "title": "F841"},
    ]


def test_failures_come_before_warnings_and_notices_not_at_all() -> None:
    levels = [("z.py", "failure"), ("a.py", "warning"), ("b.py", "failure"), ("c.py", "notice")]
    listed = remarks(*(sent("no", path, level=level) for path, level in levels))
    assert [(each["path"], each["annotation_level"]) for each in listed] == [
        ("b.py", "failure"),
        ("z.py", "failure"),
        ("a.py", "warning"),
    ]


def test_a_matrix_makes_a_remark_once() -> None:
    jobs = [read_annotations([sent("no", "a.py", title=title), sent("no", f"{title}.py")]) for title in "xyz"]
    told = check_annotations(jobs)
    assert [each.body["path"] for each in told] == ["a.py", "x.py", "y.py", "z.py"]
    assert told == check_annotations(reversed(jobs))
    assert len({each.digest for each in told}) == 4
    sent_before = [told[0].digest, told[2].digest]
    assert check_annotations(jobs, sent_before) == [told[1], told[3]]


def test_there_are_never_too_many() -> None:
    jobs = [read_annotations([sent("no", f"{job}.py", line) for line in range(1, 51)]) for job in range(10)]
    told = check_annotations(jobs)
    assert len(told) == MOST_TOLD
    assert len(check_annotations(jobs, [each.digest for each in told[:200]])) == 50
    assert check_annotations(jobs, [each.digest for each in told]) == []


def test_a_message_is_cut_to_what_github_takes() -> None:
    (told,) = check_annotations([[Annotation("failure", "a.py", 1, 1, "ü" * 60_000)]])
    assert len(told.body["message"].encode()) <= 64 * 1024
    assert set(told.body["message"]) == {"ü"}


@given(st.lists(st.lists(LISTED, max_size=8), max_size=5), st.randoms())
def test_the_order_of_jobs_and_of_what_they_list_decides_nothing(listed: list[list[dict[str, Any]]], rng: Any) -> None:
    jobs = [read_annotations(each) for each in listed]
    shuffled = [tuple(rng.sample(each, len(each))) for each in jobs]
    rng.shuffle(shuffled)
    told = check_annotations(jobs)
    assert check_annotations(shuffled) == told
    assert len({each.digest for each in told}) == len(told)
    json.dumps([each.body for each in told]).encode()


# Words on the runner

SIGNAL = "The runner has received a shutdown signal. This can happen when the runner service is stopped."
CANCELED = "The operation was canceled."
KILLED = "Process completed with exit code 137."


@pytest.mark.parametrize(
    "listed",
    [
        [sent(SIGNAL)],
        [sent(SIGNAL), sent(CANCELED)],
        [sent("unused import", "src/a.py"), sent(SIGNAL), sent(CANCELED), sent("Node.js 16 is old", level="warning")],
        [sent(KILLED), sent(SIGNAL)],
    ],
)
def test_the_runners_last_word_is_believed(listed: list[dict[str, Any]]) -> None:
    assert [each.message for each in read_annotations(listed) if each.is_runners_own] == [SIGNAL]
    found = said(*listed)
    assert found is not None
    assert found.anchor == SIGNAL


@pytest.mark.parametrize(
    "listed",
    [
        [sent(SIGNAL), sent(KILLED)],
        [sent(SIGNAL), sent(CANCELED), sent(KILLED)],
        [sent(SIGNAL)] * 10,
        [*[sent("no")] * 9, sent(SIGNAL)],
        [sent(SIGNAL, "signal.")],
        [sent("no", title=SIGNAL)],
        [sent(f"no\n{SIGNAL}")],
        [sent(SIGNAL, title="The runner")],
    ],
)
def test_what_a_script_can_print_is_not(listed: list[dict[str, Any]]) -> None:
    assert not any(each.is_runners_own for each in read_annotations(listed))
    found = said(*listed)
    assert found is None or (found.anchor == "no" and SIGNAL not in found.lines)


def test_where_no_step_failed_the_words_need_not_be_the_last() -> None:
    found = said_by_annotations(read_annotations([sent(SIGNAL), sent(KILLED)]), a_step_failed=False)
    assert found is not None
    assert found.anchor == SIGNAL


# What is cut before it is read


def test_what_is_long_is_cut_and_what_is_not_read_is_left_out() -> None:
    (short,) = cut_short([sent("error " * 10_000), None, "no", 7])
    assert len(short["message"]) <= LONGEST_MESSAGE
    assert "raw_details" not in short
    assert cut_short([{"message": 7}]) == [{"message": 7}]
    assert cut_short([sent("x" * 10_000)])[0]["message"] == "x" * LONGEST_MESSAGE


def test_no_half_of_a_secret_is_left_by_a_cut() -> None:
    for before in range(LONGEST_MESSAGE - 60, LONGEST_MESSAGE + 10):
        address = "https://octocat:hunter22@example.org/x"
        (short,) = cut_short([sent("x" * before + " " + address + " y" * 100)])
        assert "hunter" not in Redactor()(short["message"])


def test_all_failures_among_annotations_are_told_unless_some_may_be_missing() -> None:
    def told(count: int) -> Told:
        sent = [
            {"annotation_level": "failure", "path": "a.c", "start_line": line, "message": f"error: no '{line}'"}
            for line in range(1, count + 1)
        ]
        found = said_by_annotations(read_annotations(sent))
        assert found is not None
        return found.told

    assert [len(told(count).anchors) for count in (1, 9)] == [1, 9]
    assert not told(10).is_whole


def test_what_is_sent_on_is_masked_and_known_again() -> None:
    (told,) = check_annotations([read_annotations([sent("login failed: DB_PASSWORD=hunter2", "a.py")])])
    assert told.body["message"] == "login failed: DB_PASSWORD=***"
    (again,) = check_annotations([read_annotations([sent(told.body["message"], "a.py")])])
    assert again.digest == told.digest
