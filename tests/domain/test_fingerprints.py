"""Fingerprints: the same failure is the same in every run, and what says nothing is known for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.fingerprints import fingerprint, is_generic, job_without_matrix, normalized, normalized_test


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("E   assert 3374 == 3375", "E assert <n> == <n>"),
        ("took 12.5s, then 3 ms", "took <duration>, then <duration>"),
        ("object at 0x7f3a9c001d90", "object at <hex>"),
        ("commit 9f8e7d6c1a is missing", "commit <hex> is missing"),
        ("id 0b9f3a52-3c1e-4d5f-8a7b-1c2d3e4f5a6b", "id <id>"),
        ("2026-01-05T09:00:00.123Z failed", "<time> failed"),
        ("2026-01-05 09:00:00,123 failed at 9:01:02", "<time> failed at <time>"),
        ("/home/runner/work/a/a/src/x.py:33: error", "<path>x.py:<n>: error"),
        ("D:\\a\\app\\app\\src\\x.cs(3,4): error CS1", "<path>x.cs(<n>): error CS<n>"),
        ("src/net/x.c:3:4: error: no", "src/net/x.c:<n>:<n>: error: no"),
        ("./src/x.c: no", "<path>x.c: no"),
        ("open /tmp/pytest-of-me/pytest-0/a1/x: no", "open <path>: no"),
        ('expected "a" or ‘b’ or `c`', "expected 'a' or 'b' or 'c'"),
        ("##[error]  spaced\tout ", "spaced out"),
        ("a decade of feedback", "a decade of feedback"),
        ("", ""),
    ],
)
def test_what_changes_from_run_to_run_is_left_out(line: str, said: str) -> None:
    assert normalized(line) == said


PIECES = st.sampled_from(
    [
        *"/\\~.<>:T-\"`' a19sé",
        *("C:", "..", "tmp/", "/tmp/", "<path>", "<n>", "0x", "ab", "ms"),
        *("file://", "f00dfeed", "2026-01-05", "12:00:00", "##[error]"),
    ]
)


@given(st.text() | st.lists(PIECES, max_size=20).map("".join) | PIECES.map(lambda piece: f"{piece} " * 300))
def test_normalizing_twice_changes_nothing_more(line: str) -> None:
    once = normalized(line)
    assert normalized(once) == once


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.from_regex(r"(/[a-z]{1,8}){1,4}", fullmatch=True))
def test_numbers_and_folders_change_nothing(first: int, second: int, folder: str) -> None:
    def line(number: int, place: str) -> str:
        return f"{place}/cart.py:{number}: AssertionError: took {number} ms, got {number}"

    assert normalized(line(first, folder)) == normalized(line(second, "/home/runner/work"))


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("test", "test"),
        ("test (3.12, ubuntu)", "test"),
        ("call / test (3.12)", "call / test"),
        ("build (a) / test (b, c)", "build / test"),
        ("build (x / y) / test", "build / test"),
        ("test (a (b), c)", "test"),
        ("test (ubuntu-latest, a very long value that GitHub cu...", "test"),
        ("(all)", "(all)"),
        ("lint (fast) only", "lint (fast) only"),
        ("more...", "more..."),
        ("", ""),
    ],
)
def test_a_job_is_named_without_its_matrix(name: str, job: str) -> None:
    assert job_without_matrix(name) == job


@given(st.text(alphabet="ab() /,.", max_size=30))
def test_leaving_out_a_matrix_never_fails(name: str) -> None:
    assert len(job_without_matrix(name)) <= len(name)


@pytest.mark.parametrize(
    "line",
    [
        "##[error]Process completed with exit code 1.",
        "Process completed with exit code 137.",
        "##[error]The operation was canceled.",
        "make: *** [Makefile:12: test] Error 1",
        "npm ERR! code ELIFECYCLE",
        " ELIFECYCLE  Command failed with exit code 1.",
        "error Command failed with exit code 1.",
        "exit status 1",
        "FAIL",
        "BUILD FAILED",
        "Build failed",
        "FAILURE: Build failed with an exception.",
        "Error: The process '/usr/bin/git' failed with exit code 128",
        "1 failed, 203 passed in 12.3s",
        "Traceback (most recent call last):",
        "error: could not compile `lexer` (lib) due to 1 previous error",
        "ninja: build stopped: subcommand failed.",
        "Error",
        "",
        "AssertionError: assert False",
        "E   AssertionError: assert False",
        "AssertionError",
        "java.lang.AssertionError",
        "AssertionError [ERR_ASSERTION]: Expected values to be strictly equal:",
        "Error: Timeout",
        "TimeoutError",
        "error: undefined",
        "npm error code 1",
        "FAILED (failures=3)",
        "FAILED (failures=1, errors=2)",
        "    expect(received).toBe(expected) // Object.is equality",
        "    Expected: true",
        'task: Failed to run task "test": exit status 1',
        "error: Recipe `test` failed on line 12 with exit code 1",
        "There was 1 failure:",
        "BUILD FAILED in 1m 12s",
        "Error: mage failed: exit status 1",
        "ERROR: InvocationError for command /home/runner/.tox/py311/bin/pytest (exited with code 1)",
        "  py311: FAIL code 1 (3.20=setup[1.1]+cmd[2.1] seconds)",
        "Test Suites: 1 failed, 12 passed, 13 total",
        "System.NullReferenceException: Object reference not set to an instance of an object.",
        'Exception in thread "main" java.lang.NullPointerException',
        "SyntaxError: invalid syntax",
        "panic: test timed out after 10m0s",
        "Bus error",
        "Aborted (core dumped)",
        "Segmentation fault (core dumped)",
        "/home/runner/work/_temp/1.sh: line 3: 2345 Segmentation fault      (core dumped) ./run",
    ],
)
def test_what_says_nothing_is_generic(line: str) -> None:
    assert is_generic(line)


@pytest.mark.parametrize(
    "line",
    [
        "E   assert 1 == 2",
        "KeyError: 'rows'",
        "src/a.c:3:4: error: expected ';'",
        "--- FAIL: TestStore (0.1s)",
        "error: linker `cc` not found",
        "No space left on device",
        "AssertionError: assert 500 == 200",
        "AssertionError: total is wrong",
        "Error: Timeout of 2000ms exceeded in cart.spec.ts",
        "    Expected: <Cart total=3>",
        "error: undefined: chargeCard",
        "java.lang.NullPointerException: cart is null",
        "make: *** No rule to make target 'x'.  Stop.",
    ],
)
def test_what_says_something_is_not_generic(line: str) -> None:
    assert not is_generic(line)


def test_the_same_failure_has_the_same_fingerprint() -> None:
    first = fingerprint(".github/workflows/ci.yml", "test (3.11)", "Run pytest", "E   assert 1 == 2 at /home/a/x.py")
    again = fingerprint(".github/workflows/ci.yml", "test (3.12)", "Run pytest", "E   assert 3 == 4 at /srv/b/x.py")
    assert first == again
    assert len(first) == 32


def test_every_part_of_a_fingerprint_counts() -> None:
    told = {
        fingerprint(path, job, step, failure)
        for path in ("ci.yml", "lint.yml")
        for job in ("test", "build")
        for step in ("Run pytest", "Run tox", None)
        for failure in ("assert a == b", "assert a == c")
    }
    assert len(told) == 24


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("tests/test_a.py::test_tls_1_2", "tests/test_a.py::test_tls_1_3", False),
        ("TestAPIv1", "TestAPIv2", False),
        ("Cart.Adds(a: 1, b: 2)", "Cart.Adds(a: 7, b: 9)", False),
        ("test_wait[5s]", "test_wait[10s]", False),
        ("TestStore (0.10s)", "TestStore (2.41s)", True),
        ("test_of_9f8e7d6c1a", "test_of_1a2b3c4d5e", True),
        ("t[<a at 0x7f3a9c001d90>]", "t[<a at 0x7f3a9c0aab20>]", True),
        ("t[0b9f3a52-3c1e-4d5f-8a7b-1c2d3e4f5a6b]", "t[1b9f3a52-3c1e-4d5f-8a7b-1c2d3e4f5a6b]", True),
        ("t[/tmp/pytest-1/x]", "t[/tmp/pytest-2/y]", True),
    ],
)
def test_a_tests_name_keeps_its_numbers(first: str, second: str, same: bool) -> None:
    assert (normalized_test(first) == normalized_test(second)) is same
    told = [fingerprint("ci.yml", "test", "Run", name, is_test=True) for name in (first, second)]
    assert (told[0] == told[1]) is same


def test_what_is_said_twice_is_more_than_what_is_said_once() -> None:
    once, twice = (fingerprint("ci.yml", "lint", "Run", "3:4 error no-console", time=time) for time in (1, 2))
    assert once != twice
    assert once == fingerprint("ci.yml", "lint", "Run", "3:4 error no-console")
