"""The rules themselves: hints must never hide a line from its pattern, and a kind is the name of its file."""

import re
from pathlib import Path

import pytest

import bot.domain.failures
from bot.domain.failures import NOTHING, RULES, Rule, weigh
from bot.domain.failures.noise import DOUBTS, NOISE, Noise
from tests.excerpts.patterns import forms

ENTRIES = [*RULES, *NOISE, *DOUBTS]

NO_RULES = {"__init__", "index", "noise", "registry", "rule", "scoring"}


def test_every_kind_has_a_file_of_its_name_and_every_file_is_registered() -> None:
    files = {path.stem for path in Path(bot.domain.failures.__file__).parent.glob("*.py")} - NO_RULES
    assert {rule.kind for rule in RULES} == files


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.pattern.pattern[:60])
def test_hints_are_in_lower_case(entry: Rule | Noise) -> None:
    assert entry.hints
    assert all(hint == hint.lower() for hint in entry.hints)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.pattern.pattern[:60])
def test_whatever_satisfies_a_pattern_holds_a_hint(entry: Rule | Noise) -> None:
    assert [form for form in forms(entry.pattern) if not any(hint in form for hint in entry.hints)] == []


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("^abc: $", {"abc: "}),
        (r"a(?:b|cd)?e", {"ae", "abe", "acde"}),
        (r"[Aa]b\d+ c*", {"ab\0\0 ", "ab\0\0 \0"}),
        (r"(?i)Err(?!or)(?P<test>x|y)", {"errx", "erry"}),
        (r"(?:ab){2,}", {"abab\0"}),
    ],
)
def test_the_forms_of_a_pattern(pattern: str, found: set[str]) -> None:
    assert forms(re.compile(pattern)) == found


@pytest.mark.parametrize(
    "line",
    [
        "0 errors, 0 failures",
        "tests/test_errors.py::test_fails PASSED   [ 3%]",
        "  ✓ shows an error for a wrong password (1.2s)",
        "--- PASS: TestError (0.00s)",
        "ok      example.org/errors  0.1s",
        "   Compiling thiserror v2.0.1",
        "Downloading error-prone-2.3.jar",
        "npm ERR! A complete log of this run can be found in: x-debug-0.log",
        "npm warn deprecated a@1: error prone",
        "##[debug]error: x",
        "##[group]error handling",
        "##[error]Process completed with exit code 1.",
        "make: *** [Makefile:3: all] Error 2",
        "error: could not compile `x` (lib) due to 1 previous error",
        "1 failed, 203 passed in 3.1s",
        "web | [lint] no problems found, 0 errors",
    ],
)
def test_what_is_no_cause_counts_as_nothing(line: str) -> None:
    assert weigh(line).points <= 30


@pytest.mark.parametrize(
    ("line", "kind", "test"),
    [
        ("E       assert 1 == 2", "python", None),
        ("FAILED tests/test_a.py::test_b[x-1] - assert 1", "python", "tests/test_a.py::test_b[x-1]"),
        ("#12 3.456 E       assert 1 == 2", "python", None),
        ("src/a.ts(3,4): error TS2322: Type 'a'", "javascript", None),
        ("@acme/web:build: src/a.ts(3,4): error TS2322: Type 'a'", "javascript", None),
        ("  ● totals › adds tax", "javascript", "totals › adds tax"),
        ("--- FAIL: TestStore/expired (0.1s)", "go", "TestStore/expired"),
        ("error[E0502]: cannot borrow", "rust", None),
        ("src/a.c:3:4: error: expected ';'", "native", None),
        ("Foo.cs(3,4): error CS1061: no definition", "dotnet", None),
        ("[ERROR] /a/B.java:[27,31] cannot find symbol", "jvm", None),
        ("e: file:///a/B.kt:3:4 Unresolved reference", "jvm", None),
        ("     Failure/Error: expect(a).to eq 1", "ruby", None),
        ("Failed asserting that two strings are identical.", "php", None),
        ("fatal: [web1]: FAILED! => {}", "infrastructure", None),
        ("write /a: no space left on device: No space left on device", "resources", None),
        ("curl: (6) Could not resolve host: example.org", "network", None),
        ("remote: error: GH006: Protected branch update failed", "git", None),
        ("##[error]Resource not accessible by integration", "access", None),
        ("##[error]Unable to resolve action `a/b@v9`", "actions", None),
        ("##[error]The runner has received a shutdown signal.", "runner", None),
        ("./a.sh: line 3: foo: command not found", "shell", None),
        ("Error response from daemon: pull access denied for x", "containers", None),
        ("ValueError: x", "general", None),
    ],
)
def test_a_cause_is_of_its_kind(line: str, kind: str, test: str | None) -> None:
    weighed = weigh(line)
    assert (weighed.kind, weighed.test) == (kind, test)
    assert weighed.points >= 80


def test_an_empty_line_is_nothing() -> None:
    assert weigh("") == NOTHING
