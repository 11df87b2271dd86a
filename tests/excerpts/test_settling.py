"""What lines are worth among others: what they announce, what proves them, and when warnings count."""

import pytest

from bot.domain.excerpts import find_excerpt
from bot.domain.failures import RULES
from tests.excerpts.test_excerpts import excerpt_of, log, step

LONGEST_REACH = 20
"""Each line is looked at by so many others at most, or a log of announcements would take long."""


def anchor_of(*lines: str) -> str:
    return excerpt_of(*step("make test", *lines, code=1)).anchor.text.strip()


@pytest.mark.parametrize(
    "lines",
    [
        ["thread 'a::b' panicked at src/a.rs:3:4:", "=> assertion `left == right` failed"],
        ["FAIL in (total) (a_test.clj:19)", "=> expected: (= 1 (total 2))", "  actual: (not (= 1 2))"],
        ["  Problem 1", "=>     - a/money is locked to version 4", "    - a/money 4 requires ext-bcmath"],
        ["* What went wrong:", "Execution failed for task ':a:b'.", "=> > Lint found errors in the project."],
        ["> Could not resolve all files for configuration ':a'.", "=>    > Could not find a:b:1."],
        ["AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:", "=>   'a' !== 'b'"],
        [" FAIL  src/a.test.ts > a > b", "=> Error: Test timed out in 5000ms.", "❯ src/a.test.ts:3:4"],
        ["  ● a › b", "    expect(received).toBe(expected)", "    Expected: 1", "=>     Received: 2"],
        ["not ok 3 writes", "# (in test file a.bats, line 4)", "=> #   `[ -s out ]' failed"],
        ["     Failure/Error: expect(a).to be_empty", "=>        expected `[1].empty?` to be truthy, got false"],
        ["Failure:", "ATest#test_b [test/a_test.rb:7]:", '=> Expected: "open"', '  Actual: "closed"'],
        ["=>   The mailable was not sent.", "Failed asserting that false is true."],
        ["── Failure ('test-a.R:18:3'): is symmetric ───", "=> a(10) not equal to 10."],
        ["#   Failed test 'a'", "#   at t/a.t line 3.", "=> #          got: '3'", "#     expected: '4'"],
        ["  1) Ring, push", "=>        expected: [2,3]", "        but got: [1,2]"],
        ["[info] - merges *** FAILED ***", "=> [info]   Map(a -> 2) did not equal Map(a -> 3) (A.scala:4)"],
        ["The following TestFailure was thrown running a test:", "=> Expected: one", "  Actual: none"],
        ["Failure → spec/a.lua @ 40", "a does b", "=> spec/a.lua:44: Expected objects to be the same."],
        ["  Failed A_does_b [41 ms]", "  Error Message:", "=>    System.Exception : no such thing", "  Stack Trace:"],
        ["  Failed A_does_b [41 ms]", "  Error Message:", "     Expected: True", "=>   But was:  False"],
        [
            "Voucher lowers the total     | FAIL |",
            "=> Text should have been '1' but was '2'.",
            "---------",
            "A | FAIL |",
        ],
        ["05:12:08    Database Error in model a (models/a.sql)", "=> 05:12:08    column b does not exist"],
        ["Exception: D:\\a\\b.ps1:8", "Line |", "   8 |  throw", "     |  ~~~~~", "=>      | signtool exited with 1"],
        ["##[error]Unable to process file command 'output' successfully.", "=> ##[error]Invalid format '- a'"],
        ["error: hash mismatch in fixed-output derivation 'a.drv':", " specified: sha256-a", "=>    got: sha256-b"],
        ["npm error Could not resolve dependency:", '=> npm error peer react@"^16" from a@1', "npm error a"],
        ["error: 1 error occurred:", "=>     * creating S3 Bucket (a): BucketAlreadyExists"],
        ['=> File "src/a.ml", line 4, characters 1-2:', "4 | let b =", "      ^^^", "Error: Unbound value c"],
        ["=> Check: CKV_AWS_1: no", "    FAILED for resource: aws_s3_bucket.a"],
        ["=> Name: rack", "Version: 1", "CVE: CVE-2026-1"],
    ],
    ids=lambda lines: lines[0].strip()[:40],
)
def test_what_is_announced_is_the_anchor(lines: list[str]) -> None:
    (announced,) = (line.removeprefix("=> ") for line in lines if line.startswith("=> "))
    assert anchor_of("before", *(line.removeprefix("=> ") for line in lines), "after") == announced.strip()


@pytest.mark.parametrize(
    ("lines", "anchor"),
    [
        (["panic: only printed", "panic: real", "goroutine 7 [running]:"], "panic: real"),
        (
            ["a.ts:1:2 lint/style/a ━━", "  ! could be", "b.ts:3:4 lint/style/b ━━", "  × is"],
            "b.ts:3:4 lint/style/b ━━",
        ),
        (["Suite       | FAIL |", "3 tests, 2 passed, 1 failed", "error: known"], "error: known"),
        (["! a mark of ours", "error: known"], "error: known"),
        (['File "src/dune", line 4:', "Warning: old", 'File "a.ml", line 1:', "Error: new"], 'File "a.ml", line 1:'),
    ],
)
def test_what_is_not_proven_counts_for_less(lines: list[str], anchor: str) -> None:
    assert anchor_of(*lines) == anchor


@pytest.mark.parametrize(
    ("warning", "verdict"),
    [
        (
            "docs/a.rst:31: WARNING: undefined label: 'b'",
            "build finished with problems, 1 warning (with warnings treated as errors).",
        ),
        ("WARNING -  Doc file 'a.md' contains a link 'b.md'", "Aborted with 1 warnings in strict mode!"),
        ("  3:4  warning  'a' is unused  no-unused-vars", "ESLint found too many warnings (maximum: 0)."),
        ("w: file:///a/B.kt:3:4 'c' is deprecated", "e: warnings found and -Werror specified"),
    ],
)
def test_warnings_count_where_a_step_says_so(warning: str, verdict: str) -> None:
    assert anchor_of("WARNING: Running pip as the 'root' user", "building", warning, "done", verdict) == warning.strip()
    assert anchor_of("building", warning, "done", "error: broken") == "error: broken"


@pytest.mark.parametrize(
    "chain",
    [
        [
            "Unhandled exception. A.UpdateException: See the inner exception.",
            " ---> B.PostgresException: duplicate key",
        ],
        ["[ERROR] Error: Unable to build website.", "    at x (a.js:1:2) {", "  [cause]: Error: Found broken links!"],
    ],
)
def test_the_root_of_a_chain_is_the_anchor_whatever_language_it_is_in(chain: list[str]) -> None:
    assert anchor_of(*chain) == chain[-1].strip()


def test_a_test_keeps_its_name_where_its_reason_is_the_anchor() -> None:
    excerpt = excerpt_of(*step("robot", "Pay by card    | FAIL |", "Button not found.", "----------", code=1))
    assert (excerpt.anchor.text, excerpt.test) == ("Button not found.", "Pay by card")


def test_nothing_is_looked_for_far_away() -> None:
    reaches = [sought.reach for rule in RULES for sought in (rule.reason, rule.proof) if sought]
    assert len(reaches) > 40
    assert max(map(abs, reaches)) <= LONGEST_REACH


@pytest.mark.parametrize(
    "line", ["Failure/Error: x", "● a › b", "! x", "error: warnings treated as errors", "Error: x"]
)
def test_a_log_of_nothing_but_announcements_takes_no_longer_than_others(line: str) -> None:
    """One that looked at all lines for each of them would be ended by the time limit of the suite."""
    assert find_excerpt(log(*[f"{line}{number}" for number in range(6_000)])) is not None
