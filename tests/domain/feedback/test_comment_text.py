"""The words of the comment: the line that matters first, then whose failure it is."""

import pytest
from hypothesis import given
from msgspec.structs import replace

from bot.domain.feedback.report import NO_LOG, Base, Cause, Conclusion, FailureClass, Flake, Report, Source
from bot.domain.feedback.words.comment_text import Newer, Newest, failure_comment, resolved_comment
from bot.domain.feedback.words.evidence import verdict
from bot.domain.feedback.words.markdown import size
from bot.domain.feedback.words.markers import find_marker, marker_text
from tests.domain.feedback.reports import (
    BASE,
    FAILS_ALIKE,
    MARKER,
    REPOSITORY,
    Maker,
    cause,
    failure,
    job,
    report,
    run,
    seeds,
    without_progress,
    words,
)

NEW, KNOWN, FLAKY, INFRA = FailureClass.NEW, FailureClass.BASE, FailureClass.FLAKY, FailureClass.INFRA
NO_BASE, PENDING = FailureClass.NO_BASE, FailureClass.PENDING

FOOTER = "<sub>The whole is in the check **CI summary**. The label `ci-mute` silences this comment.</sub>"
ONE = f"""\
{marker_text(MARKER)}
### ❌ 1 new failure in 3 jobs at `abc1234`

#### `assert 500 == 402`
- **New**: passes on `main` (the runs up to base `9f8e7d6` passed 20 of 20)
- Test `tests/test_orders.py::test_expired_card`
- In [`CI / test (3.11)`]({REPOSITORY}/actions/runs/1/job/1) › `Run pytest`, exit code 1
- 2 other jobs failed alike: `CI / test (3.12)` and `CI / test (3.13)`

```text
      def test_expired_card():
→ E       assert 500 == 402
  tests/test_orders.py:88: AssertionError
```

{FOOTER}"""


def test_one_new_failure() -> None:
    jobs = (job(1, "test (3.11)"), job(2, "test (3.12)"), job(3, "test (3.13)"))
    assert failure_comment(report(cause(NEW, *jobs)), MARKER) == ONE


def test_excused_failures_come_after_those_that_blame_in_a_line_each() -> None:
    text = failure_comment(report(cause(KNOWN, job(7, "lint"), base=FAILS_ALIKE), cause()), MARKER)
    assert text.startswith(f"{marker_text(MARKER)}\n### ❌ 1 new failure, 1 known on `main` at `abc1234`\n\n#### ")
    assert text.endswith(
        "\n\n### Not because of this pull request\n\n"
        "- `assert 500 == 402`, test `tests/test_orders.py::test_expired_card`, "
        f"in [`CI / lint`]({REPOSITORY}/actions/runs/1/job/7) › `Run pytest`, exit code 1"
        " — **Not new**: fails the same way on `main` at `9f8e7d6` (passed in 3 of the last 20 runs)"
        f"\n\n{FOOTER}"
    )


def test_that_one_is_flaky_is_no_more_than_likely() -> None:
    text = failure_comment(report(cause(), cause(KNOWN), cause(FLAKY)), MARKER)
    assert text.count("### Probably not because of this pull request\n") == 1


UNLOGGED = failure(None, source=Source.STEP, kind=NO_LOG)
LOST = failure("The hosted runner lost communication with the server.", source=Source.ANNOTATIONS, test=None)
PASSING = "the runs up to base `9f8e7d6` passed 20 of 20"
VERDICTS: list[tuple[Cause, str]] = [
    (cause(), f"**New**: passes on `main` ({PASSING})"),
    (
        cause(others=(7,)),
        f"**New**: passes on `main` ({PASSING}); also failed in 1 other pull request here in 14 days",
    ),
    (
        cause(base=Base("main", BASE, 17, 20, False)),
        "**New**: does not fail like this on `main` (the runs up to base `9f8e7d6` passed 17 of 20)",
    ),
    (
        cause(base=Base("main", BASE, 0, 20, False)),
        "**New**: fails on `main` too, but differently (the runs up to base `9f8e7d6` passed 0 of 20)",
    ),
    (cause(base=Base("main", BASE, 0, 0, False)), "**New**: the job has not run on `main` yet"),
    (
        cause(said=failure(is_generic=True)),
        f"**New**: passes on `main` ({PASSING}); the output does not say why it failed",
    ),
    (cause(base=None), "**New**: nothing is known that excuses it"),
    (
        cause(others=(7, 8), authors=1),
        (
            f"**New**: passes on `main` ({PASSING}); "
            "also failed in 2 other pull requests here in 14 days, all of one author"
        ),
    ),
    (cause(NO_BASE, base=None), "**Not known**: the workflow has not run on `main`"),
    (
        cause(NO_BASE, base=None, is_base_silent=True),
        "**Not known**: no run of the workflow on `main` in the 30 days before can be compared",
    ),
    (
        cause(NO_BASE, base=FAILS_ALIKE, said=failure(is_generic=True)),
        f"**Not known**: on `main`, {PASSING.replace('20 of', '3 of')}, but the output does not say why it failed",
    ),
    (
        cause(NO_BASE, base=FAILS_ALIKE),
        "**Not known**: on `main`, the runs up to base `9f8e7d6` passed 3 of 20, but not all that failed here is known",
    ),
    (
        cause(NO_BASE, said=failure(is_generic=True)),
        f"**Probably yours**: on `main`, {PASSING}, but the output does not say why it failed",
    ),
    (cause(PENDING, unknown=True, base=None), "**Not yet known**: it is still being looked into"),
    (
        cause(PENDING, said=replace(UNLOGGED, awaits_log=True), base=None),
        "**Not yet known**: GitHub has no log of it so far, which is waited for",
    ),
    (cause(PENDING), f"**Not yet known**: it is still being looked into; on `main`, {PASSING}"),
    (
        cause(KNOWN, base=FAILS_ALIKE),
        "**Not new**: fails the same way on `main` at `9f8e7d6` (passed in 3 of the last 20 runs)",
    ),
    (cause(KNOWN, base=Base("main", BASE, 0, 0, True)), "**Not new**: fails the same way on `main` at `9f8e7d6`"),
    (cause(KNOWN, base=None), "**Not new**: fails the same way on `main`"),
    (
        cause(FLAKY, others=(1, 2, 3, 4)),
        f"**Likely flaky**: also failed in 4 other pull requests here in 14 days; on `main`, {PASSING}",
    ),
    (cause(FLAKY, base=None), "**Likely flaky**: it has passed on the same commit"),
    (cause(INFRA, said=LOST), "**Infrastructure**: the runner was lost"),
    (cause(INFRA, job(in_set_up=True)), "**Infrastructure**: the job could not be set up"),
    (cause(INFRA, said=UNLOGGED), "**Infrastructure**: GitHub kept no log of it"),
    (cause(INFRA, job(in_set_up=True), said=UNLOGGED), "**Infrastructure**: GitHub kept no log of it"),
    (
        cause(INFRA, job(step=None), said=UNLOGGED),
        "**Infrastructure**: the job was broken off, and GitHub kept no log of it",
    ),
    (cause(INFRA), "**Infrastructure**: the job was broken off from outside"),
    (cause(INFRA, said=failure("No space left on device")), "**Infrastructure**: the runner's disk was full"),
]


@pytest.mark.parametrize(("told", "text"), VERDICTS, ids=[text for _, text in VERDICTS])
def test_whose_failure_it_is_and_how_that_is_known(told: Cause, text: str) -> None:
    assert verdict(told.first, "`main`") == text


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (cause(unknown=True), "#### Step `Run pytest` failed\n"),
        (cause(NEW, job(step=None), unknown=True), "#### Job `test (3.12)` failed\n"),
        (
            cause(said=failure("##[error]Process completed with exit code 1.")),
            "#### Test `tests/test_orders.py::test_expired_card` failed\n",
        ),
        (cause(said=failure("##[error]bad input")), "#### `bad input`\n"),
        (cause(NEW, job(conclusion="timed_out")), "`Run pytest`, timed out, exit code 1\n"),
        (cause(said=failure(exit_code=None)), "`Run pytest`\n"),
        (cause(said=failure(exit_code=-1073741510)), "exit code `-1073741510`\n"),
        (cause(NEW, job(step=None)), f"{REPOSITORY}/actions/runs/1/job/10) › `pytest -q`, exit"),
        (cause(NEW, job(html_url=None)), f"[`CI / test (3.12)`]({REPOSITORY}/actions/runs/1)"),
        (cause(NEW, job(html_url="https://evil.example/")), "In `CI / test (3.12)` ›"),
    ],
)
def test_where_it_failed(told: Cause, text: str) -> None:
    assert text in failure_comment(report(told), MARKER)


def test_the_end_of_the_last_job_is_no_news_by_itself() -> None:
    assert failure_comment(report(cause(), conclusion=None), MARKER) == failure_comment(report(cause()), MARKER)


def test_of_twelve_causes_ten_are_shown_and_three_of_them_with_lines() -> None:
    causes = [cause(said=failure(f"Error: number {n}")) for n in range(12)]
    text = failure_comment(report(*causes), MARKER)
    assert [n for n in range(12) if f"`Error: number {n}`" in text] == list(range(10))
    assert text.count("```text") == 3
    assert text.count("### Further failures") == 1
    assert text.endswith(f"\n\n**2 more causes** are not shown here.\n\n{FOOTER}")


def test_the_name_of_a_workflow_without_one_is_that_of_its_file() -> None:
    nameless = replace(cause().first, run=run(name=""))
    assert "`ci.yml / test (3.12)`" in failure_comment(report(Cause(NEW, (nameless,))), MARKER)


def test_a_workflow_that_could_not_start() -> None:
    text = failure_comment(report(runs_without_jobs=(run(9, "Release", conclusion="startup_failure"),)), MARKER)
    assert text == (
        f"{marker_text(MARKER)}\n### ❌ 1 workflow could not start at `abc1234`\n\n"
        f"- **[`Release`]({REPOSITORY}/actions/runs/9) could not start**: "
        f"its workflow file, or one that it calls, is not valid\n\n{FOOTER}"
    )


def test_the_history_of_flaky_jobs() -> None:
    flakes = (
        Flake(job(5, "e2e"), run(), ((1, "failure"), (2, "timed_out"), (3, "success")), 1),
        *[Flake(job(n, f"j{n}"), run(), ((1, "failure"), (2, "success")), 22) for n in range(20, 27)],
    )
    text = failure_comment(report(cause(), flakes=flakes), MARKER)
    history = "`#1 failed → #2 timed out → #3 passed`, first time in 14 days"
    assert f"- [`CI / e2e`]({REPOSITORY}/actions/runs/1/job/5): {history}" in text
    assert "`#1 failed → #2 passed`, 22nd time in 14 days" in text
    assert text.endswith(f"\n- 3 more jobs\n\n{FOOTER}")


def test_after_a_push_it_first_says_that_it_is_about_the_old_commit() -> None:
    text = failure_comment(report(cause()), MARKER, newer=Newer("fedcba9876543210"))
    first = "⏳ **This is about the old commit `abc1234`.** There is no result for the new one, `fedcba9`, yet."
    assert text.split("\n")[1] == first
    assert text.endswith(ONE.partition("#### ")[2].partition("```")[2])


def test_a_failure_in_the_merge_queue_is_one_line() -> None:
    queue = report(cause(KNOWN), cause(), head_sha="1234567890")
    line = (
        f"❌ **Failed in the merge queue** at `1234567`: `assert 500 == 402`, in [`CI / test (3.12)`]"
        f"({REPOSITORY}/actions/runs/1/job/10) › `Run pytest`, exit code 1, and 1 more cause."
    )
    assert failure_comment(None, MARKER, queue=queue) == f"{marker_text(MARKER)}\n{line}"
    assert failure_comment(report(cause()), MARKER, queue=queue).split("\n")[1:4] == [
        line,
        "",
        "### ❌ 1 new failure at `abc1234`",
    ]
    empty = failure_comment(None, MARKER, queue=report())
    assert empty.endswith("\n❌ **Failed in the merge queue** at `abc1234`.")


def test_there_must_be_something_to_tell() -> None:
    with pytest.raises(ValueError, match="needs a report"):
        failure_comment(None, MARKER)


HISTORY = f"only when run again: [`CI / e2e`]({REPOSITORY}/actions/runs/1/job/7): `#1 failed → #2 passed`, 4th time"
FLAKE = Flake(job(7, "e2e"), run(), ((1, "failure"), (2, "success")), 4)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (report(conclusion=Conclusion.SUCCESS), "✅ Everything passed at `abc1234`."),
        (
            report(cause(KNOWN), conclusion=Conclusion.NEUTRAL),
            "✅ No new failures at `abc1234`: what still fails there is not because of this pull request.",
        ),
        (
            report(cause(KNOWN), cause(FLAKY), conclusion=Conclusion.NEUTRAL),
            "✅ No new failures at `abc1234`: what still fails there is probably not because of this pull request.",
        ),
        (
            report(conclusion=Conclusion.SUCCESS, flakes=(FLAKE,)),
            f"✅ Everything passed at `abc1234`; {HISTORY} in 14 days.",
        ),
        (
            report(conclusion=Conclusion.SUCCESS, flakes=(FLAKE, FLAKE, FLAKE)),
            f"✅ Everything passed at `abc1234`; {HISTORY} in 14 days, and 2 more.",
        ),
    ],
)
def test_what_is_resolved_is_one_line(told: Report, line: str) -> None:
    assert resolved_comment(told, MARKER) == f"{marker_text(MARKER)}\n{line}"


@pytest.mark.parametrize("conclusion", [Conclusion.FAILURE, Conclusion.CANCELLED, Conclusion.ACTION_REQUIRED, None])
def test_nothing_else_resolves_anything(conclusion: Conclusion | None) -> None:
    with pytest.raises(ValueError, match="not resolved by"):
        resolved_comment(report(conclusion=conclusion), MARKER)


@given(seeds, words)
def test_mere_progress_changes_nothing(seed: int, words: list[str]) -> None:
    told = replace(Maker(seed, words).report(), conclusion=None)
    assert failure_comment(told, MARKER) == failure_comment(without_progress(told), MARKER)


@given(seeds, words)
def test_the_marker_comes_first_whatever_follows(seed: int, words: list[str]) -> None:
    text = failure_comment(Maker(seed, words).report(), MARKER)
    assert find_marker(text) == MARKER
    assert text.count(marker_text(MARKER)) == 1


def test_the_fattest_comment_has_its_size_and_is_cut_between_causes() -> None:
    fat = "😀" * 1_000
    said = failure(fat, test=fat, step=fat, lines=(fat,) * 20)
    jobs = [job(n, fat, step=fat, html_url=f"{REPOSITORY}/{n}") for n in range(9)]
    told = report(
        *[cause(NEW, *jobs, said=said)] * 12,
        base_branch=fat,
        flakes=(Flake(jobs[0], run(name=fat), ((1, fat), (2, fat)), 3),) * 9,
        runs_without_jobs=(run(2, fat, conclusion="timed_out"),) * 9,
    )
    text = failure_comment(told, MARKER, newer=Newer(fat), queue=told)
    assert 30_000 < size(text) <= 60_000
    assert " more causes** are not shown here." in text
    assert text.count("```") % 2 == 0
    assert text.endswith(f"- 4 more jobs\n\n{FOOTER}")


@pytest.mark.parametrize(
    ("failure_class", "words"),
    [
        (FailureClass.UNSEEN, "2 other jobs failed and were not looked into: "),
        (PENDING, "2 other jobs failed and are still being looked into: "),
    ],
)
def test_what_nobody_looked_into_is_not_said_to_have_failed_alike(failure_class: FailureClass, words: str) -> None:
    jobs = [job(number, f"test ({number})") for number in range(1, 4)]
    text = failure_comment(report(cause(failure_class, *jobs, unknown=True)), MARKER)
    assert words in text
    assert "alike" not in text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (Newest.AWAITED, "There is no result for the new one, `fedcba9`, yet."),
        (Newest.NOTHING_RAN, "Nothing has run at the new one, `fedcba9`."),
        (Newest.CANCELLED, "At the new one, `fedcba9`, what ran was cancelled."),
        (Newest.WAITS, "At the new one, `fedcba9`, workflows wait for approval."),
    ],
)
def test_how_it_stands_with_a_newer_commit(state: Newest, words: str) -> None:
    newer = Newer("fedcba9876543210", state)
    for told in (
        failure_comment(report(cause()), MARKER, newer=newer),
        failure_comment(None, MARKER, newer=newer, queue=report(cause())),
    ):
        assert f".** {words}\n\n" in told
