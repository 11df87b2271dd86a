"""What an excerpt shows of logs that are short enough to be read here; whole logs are in `logs`."""

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.excerpts import ELLIPSIS, MOST_LINES, Excerpt, clean, failed_region, find_excerpt

STAMP = "2026-01-05T09:00:00.1234567Z "


def log(*lines: str) -> str:
    return "".join(f"{STAMP}{line}\n" for line in lines)


def step(command: str, *lines: str, code: int | None = None) -> list[str]:
    head = [f"##[group]Run {command}", f"\x1b[36;1m{command}\x1b[0m", "shell: /usr/bin/bash -e {0}", "##[endgroup]"]
    end = [] if code is None else [f"##[error]Process completed with exit code {code}."]
    return [*head, *lines, *end]


def excerpt_of(*lines: str) -> Excerpt:
    excerpt = find_excerpt(log(*lines))
    assert excerpt is not None
    return excerpt


# Cleaning


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (f"{STAMP}plain", "plain"),
        ("\ufeff2026-01-05T09:00:00Z from the first line", "from the first line"),
        (f"build\tRun make\t{STAMP}from gh", "from gh"),
        ("2026-01-05 a date of the program's own", "2026-01-05 a date of the program's own"),
        (f"{STAMP}\x1b[1m\x1b[31mE   assert 1\x1b[0m", "E   assert 1"),
        (f"{STAMP}\x1b]8;;https://example.org\x07link\x1b]8;;\x07", "link"),
        (f"{STAMP} 10%\r 50%\r100% done\r", "100% done"),
        (f"{STAMP}windows\r", "windows"),
        (f"{STAMP}\x00\x08nul and backspace", "nul and backspace"),
        (f"{STAMP}##[error]marked", "##[error]marked"),
        (f"{STAMP}token: ***", "token: ***"),
        (f"{STAMP}tab\there   ", "tab    here"),
        ("", ""),
    ],
)
def test_a_line_is_cleaned(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@given(st.text())
def test_no_control_character_stays(raw: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f-\x9f]", clean(raw))


# The step that failed


def test_the_first_step_that_fails_counts() -> None:
    told = [
        *step("setup", "error: tolerated in an earlier step"),
        *step("make test", "test a ok", code=2),
        *step("./report", "error: nothing to report", code=1),
        "Post job cleanup.",
        "fatal: not a git repository",
    ]
    region = failed_region(log(*told))
    assert (region.step, region.exit_code) == ("make test", 2)
    assert [line for _, line in region.lines] == ["test a ok", "##[error]Process completed with exit code 2."]


def test_a_step_that_was_let_go_on_is_passed_over_where_the_right_one_is_known() -> None:
    lines = [*step("lint", "error: style", code=1), *step("test", "error: broken", code=2)]
    told = "".join(f"2026-01-05T09:00:{second:02}.1234567Z {line}\n" for second, line in enumerate(lines))
    for second, anchor in ((0, "error: style"), (6, "error: broken"), (59, "error: style")):
        excerpt = find_excerpt(told, datetime(2026, 1, 5, 9, 0, second, tzinfo=UTC))
        assert excerpt is not None
        assert excerpt.anchor.text == anchor


def test_an_action_that_fails_ends_with_its_error() -> None:
    told = [
        *step("make"),
        "##[group]Run acme/lint@v2",
        "with:",
        "  strict: true",
        "##[endgroup]",
        "##[error]src/a.go:3:4: unused variable (lint)",
        "##[error]issues found",
        "Ran for 3 s",
        *step("./report", "error: nothing to report", code=1),
    ]
    assert excerpt_of(*told).anchor.text == "##[error]src/a.go:3:4: unused variable (lint)"
    assert excerpt_of(*told).step == "acme/lint@v2"


def test_a_script_that_marks_errors_and_goes_on_has_not_failed() -> None:
    told = [*step("npm run lint || true", "##[error]src/a.js: style"), *step("npm test", "error: broken", code=1)]
    assert excerpt_of(*told).anchor.text == "error: broken"


def test_a_group_of_a_script_is_no_step() -> None:
    told = [*step("ci"), "##[group]Run unit tests", "1", "2", "3", "error: broken", "##[endgroup]", "done", "failed"]
    region = failed_region(log(*told, "##[error]Process completed with exit code 1."))
    assert region.step == "ci"
    assert region.lines[0] == (5, "##[group]Run unit tests")


def test_what_stands_before_the_first_step_can_fail() -> None:
    excerpt = excerpt_of("Prepare all required actions", "##[error]Unable to resolve action `acme/x@v9`, not found")
    assert (excerpt.step, excerpt.anchor.number, excerpt.anchor.kind) == (None, 2, "actions")


def test_a_log_without_markers_is_one_region() -> None:
    excerpt = find_excerpt("building\nsrc/a.c:3:4: error: expected ';'\nnote: x\nPost job cleanup.\nerror: cleanup\n")
    assert excerpt is not None
    assert excerpt.anchor.text == "src/a.c:3:4: error: expected ';'"
    assert excerpt.lines == ("building", "src/a.c:3:4: error: expected ';'", "note: x")


def test_a_step_that_is_over_without_an_error_leaves_the_clean_up() -> None:
    told = [*step("make", "all well"), "Post job cleanup.", "##[error]Failed to save the report"]
    assert excerpt_of(*told).anchor.text == "##[error]Failed to save the report"


# Anchors and excerpts


@pytest.mark.parametrize("nothing", ["", "\n\n", f"{STAMP}\n{STAMP}\x1b[0m\n"])
def test_a_log_without_a_line_has_no_excerpt(nothing: str) -> None:
    assert find_excerpt(nothing) is None


def test_a_step_that_does_not_say_why_shows_its_last_words() -> None:
    excerpt = excerpt_of(*step("./run", *(f"line {number}" for number in range(40)), code=3))
    assert (excerpt.anchor.text, excerpt.anchor.kind, excerpt.exit_code) == ("line 39", "unknown", 3)
    assert excerpt.lines[0] == "line 29"


def test_the_cause_counts_and_not_the_summary() -> None:
    told = step("pytest", "def test_a():", "E       assert 1 == 2", "1 failed, 203 passed in 2.1s", code=1)
    assert excerpt_of(*told).anchor.text == "E       assert 1 == 2"


def test_a_clean_up_after_the_cause_does_not_count() -> None:
    told = step("./e2e", "Error: login page is empty", "rm: cannot remove 'x': No such file or directory", code=1)
    assert excerpt_of(*told).anchor.text == "Error: login page is empty"


def test_what_was_tried_again_does_not_count() -> None:
    told = step("./push", "error: 503 from mirror", "retrying in 3s", "ok", "error: quota is used up", code=1)
    assert excerpt_of(*told).anchor.text == "error: quota is used up"


def test_a_server_that_was_waited_for_does_not_count() -> None:
    refused = "curl: (7) Failed to connect to localhost port 8080: Connection refused"
    told = step("./wait && ./test", *[refused] * 5, "up", "TypeError: x is not a function", code=1)
    assert excerpt_of(*told).anchor.text == "TypeError: x is not a function"


def test_the_root_of_a_chain_of_causes_is_the_anchor() -> None:
    told = step(
        "java",
        "java.lang.IllegalStateException: no context",
        "\tat a.B.c(B.java:1)",
        "Caused by: a.BeanException: no bean",
        "\tat a.B.d(B.java:2)",
        "Caused by: a.ConfigException: no url",
        "\tat a.B.e(B.java:3)",
        code=1,
    )
    assert excerpt_of(*told).anchor.text == "Caused by: a.ConfigException: no url"


def test_further_anchors_say_something_else_and_are_at_most_two() -> None:
    noise = [f"working {number}" for number in range(20)]
    errors = [f"src/{name}.c:{number}:1: error: {name}" for number, name in enumerate("aabcd")]
    told = [line for error in errors for line in (error, *noise)]
    excerpt = excerpt_of(*step("make", *told, code=2))
    assert excerpt.anchor.text == errors[0]
    assert [anchor.text for anchor in excerpt.further] == [errors[2], errors[3]]
    assert excerpt.lines.count(ELLIPSIS) == 2
    assert len(excerpt.lines) <= MOST_LINES


def test_the_test_that_failed_is_named() -> None:
    told = step("go test", "--- FAIL: TestStore/expired (0.10s)", "    store_test.go:88: got 1, want 2", code=1)
    assert excerpt_of(*told).test == "TestStore/expired"


def test_long_lines_are_cut() -> None:
    excerpt = excerpt_of(*step("x", "error: " + "y" * 5000, code=1))
    assert max(map(len, excerpt.lines)) == 400
    assert excerpt.anchor.text.endswith("…")


WORDS = st.sampled_from(
    ["error:", "FAILED", "##[error]", "##[group]Run x", "##[endgroup]", "E   ", "a.c:1:2: ", "[x] ", "\x1b[31m", "\r"]
)


@given(st.lists(st.lists(WORDS | st.text(max_size=9), max_size=9).map("".join), max_size=30))
def test_any_log_has_an_excerpt_of_its_own_lines(lines: list[str]) -> None:
    told = "\n".join(lines)
    cleaned = {clean(line) for line in told.split("\n")}
    excerpt = find_excerpt(told)
    if excerpt is None:
        return
    assert set(excerpt.lines) <= {line[:399] + "…" if len(line) > 400 else line for line in cleaned} | {ELLIPSIS}
    assert 1 <= len(excerpt.lines) <= MOST_LINES
    assert excerpt.anchor.text in excerpt.lines
    assert len(excerpt.further) <= 2
    assert all(anchor.text in excerpt.lines for anchor in excerpt.further)


HOSTILE = (
    *("error: ", "a:1:", "/a", "[a] ", " ", ".", "1) ", "\x1b[", "\x1b]", "\r", "Caused by: ", "(((", "● › ", "E "),
    *("==> a: ", "a> ", "▸ ", "@a/b: ", "a | FAIL |", " › ✘ ", "a(1,2)", "-- A ", "[a]: ", "WARNING: ", 'File "'),
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_line_takes_no_longer_than_others(piece: str) -> None:
    """A pattern that tries all ways to read one of these would be ended by the time limit of the suite."""
    hostile = piece * 30_000 + "error failed expected: got"
    assert find_excerpt(f"{hostile}\nbefore\n{hostile}\nerror: known\n{hostile}") is not None


@given(st.lists(WORDS | st.text(max_size=3), min_size=1, max_size=4).map("".join), st.integers(500, 5000))
def test_a_line_of_anything_repeated_takes_no_longer_than_others(piece: str, times: int) -> None:
    find_excerpt(f"error: first\n{piece * times}\n{piece * times} failed")


@pytest.mark.parametrize(
    "lines",
    [
        ["##[group]Run x"] * 100_000,
        [*["##[group]Run x"] * 499, "##[endgroup]"] * 200,
        ["##[group]Run x", "shell: x", "##[endgroup]", "##[error]x"] * 25_000,
        ["Post job cleanup."] * 100_000,
    ],
    ids=["heads", "heads of one end", "steps", "clean-ups"],
)
def test_a_log_of_nothing_but_marks_takes_no_longer_than_others(lines: list[str]) -> None:
    began = time.perf_counter()
    failed_region(log(*lines))
    assert time.perf_counter() - began < 4


def test_of_very_many_steps_the_last_count() -> None:
    lines = [*step("early", "error: early", code=1), *step("x") * 6_000, *step("late", "error: late", code=3)]
    region = failed_region(log(*lines))
    assert (region.exit_code, region.lines[-1][1]) == (1, "##[error]Process completed with exit code 1.")
    region = failed_region(log(*lines[6:]))
    assert (region.step, region.exit_code) == ("late", 3)
