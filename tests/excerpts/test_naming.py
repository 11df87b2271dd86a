"""Which test an anchor is about, and all that a step says failed."""

import pytest

from bot.domain.excerpts import Told, find_excerpt
from bot.domain.excerpts.naming import MOST_TOLD
from tests.excerpts.test_excerpts import excerpt_of, log, step


def told(*lines: str) -> Told:
    return excerpt_of(*step("make test", *lines, code=1)).told


def test_all_tests_that_a_step_names_are_told_in_whatever_order() -> None:
    lines = [f"FAILED tests/{name}.py::test_{name} - assert 1 == 2" for name in "ab"]
    assert set(told(*lines).tests) == set(told(*reversed(lines)).tests) == {f"tests/{x}.py::test_{x}" for x in "ab"}
    assert told(*lines).anchors == ()
    assert told(*lines).is_whole


def test_a_compilers_error_is_told_beside_a_test_and_takes_none() -> None:
    lines = [
        "# x/pay [x/pay.test]",
        "pay/charge.go:10:5: undefined: chargeCard",
        "FAIL\tx/pay [build failed]",
        "ok  \tx/api\t0.4s",
        "--- FAIL: TestKnownBroken (0.00s)",
        "    a_test.go:5: got 1, want 2",
        "FAIL\tx/a\t0.2s",
    ]
    excerpt = excerpt_of(*step("go test ./...", *lines, code=1))
    assert (excerpt.test, excerpt.told.tests) == (None, ("TestKnownBroken",))
    assert "pay/charge.go:10:5: undefined: chargeCard" in excerpt.told.anchors


def test_what_a_linter_says_again_is_told_again() -> None:
    once = told("a.js", "  3:4  error  Unexpected console statement  no-console")
    twice = told(*2 * ("a.js", "  3:4  error  Unexpected console statement  no-console"))
    assert (len(once.anchors), len(twice.anchors)) == (1, 2)


@pytest.mark.parametrize(
    ("lines", "test"),
    [
        (["--- FAIL: TestA (0.00s)", "Error: lost"], "TestA"),
        (["--- FAIL: TestA (0.00s)", "FAIL    x/a    0.2s", "Error: lost the server: it is gone"], "TestA"),
        (["--- FAIL: TestA (0.00s)", "panic: lost"], "TestA"),
        (["--- FAIL: TestA (0.00s)", "FAIL\tx/a\t0.2s", "panic: lost"], None),
        (["--- FAIL: TestA (0.00s)", "ok  \tx/b\t0.2s", "panic: lost"], None),
        (["panic: lost", *["."] * 10, "--- FAIL: TestA (0.00s)"], "TestA"),
        (["panic: lost", *["."] * 20, "--- FAIL: TestA (0.00s)"], None),
        (["panic: lost", "=== the rest ===", "--- FAIL: TestA (0.00s)"], None),
        (["--- FAIL: TestA (0.00s)", "FAIL Required test coverage of 80% not reached. Total: 79.1%"], None),
        (["--- FAIL: TestA (0.00s)", "src/a.c:3:4: error: expected ';'"], None),
        (["--- FAIL: TestA (0.00s)", "error[E0425]: cannot find value `x` in this scope"], None),
        (["--- FAIL: TestA (0.00s)", "thread 'a' panicked at src/a.rs:3:4:"], "TestA"),
    ],
)
def test_whom_an_anchor_concerns(lines: list[str], test: str | None) -> None:
    excerpt = excerpt_of(*step("make test", *lines, code=1))
    assert excerpt.test == test


def test_what_is_not_known_whole_is_not_told() -> None:
    errors = [f"src/{'abcdefgh'[number % 8] * (number // 8 + 1)}.c:3:4: error: x" for number in range(MOST_TOLD + 1)]
    assert told(*errors[:MOST_TOLD]).is_whole
    assert told(*errors) == Told()
    # Without the head of the step, there may have been more before.
    assert excerpt_of("error: broken").told == Told()
    assert excerpt_of(*step("./run", "nothing said", code=3)).told == Told()
    long = find_excerpt(log(*step("./run", "FAILED a.py::test_a - x", *["."] * 20_001, "error: broken", code=1)))
    assert long is not None
    assert long.told == Told()
