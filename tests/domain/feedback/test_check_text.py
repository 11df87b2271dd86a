"""The words of the check run: how a commit stands, at one glance and in full."""

import pytest
from hypothesis import given
from msgspec.structs import replace

from bot.domain.feedback.report import NO_LOG, Conclusion, Counts, FailureClass, Flake, Report, Source
from bot.domain.feedback.words.causes import Block, within
from bot.domain.feedback.words.check_text import check_text, told_apart
from bot.domain.feedback.words.markdown import size
from bot.domain.feedback.words.wording import number, ordinal
from tests.domain.feedback.reports import FAILS_ALIKE, Maker, cause, failure, job, report, run, seeds, words

NEW, BASE, FLAKY, INFRA = FailureClass.NEW, FailureClass.BASE, FailureClass.FLAKY, FailureClass.INFRA
NO_BASE, PENDING = FailureClass.NO_BASE, FailureClass.PENDING
THREE = (job(1), job(2), job(3))
AWAITED = failure(None, source=Source.STEP, kind=NO_LOG, is_generic=True, awaits_log=True)
FLAKE = Flake(job(), run(), ((1, "failure"), (2, "success")), 4)
RUNNING = Counts(total=12, passed=2, failed=1, running=5, waiting=4)
WAITING = run(conclusion="action_required")


def going_on(*causes: object, **told: object) -> Report:
    return report(*causes, **{"conclusion": None, "counts": RUNNING} | told)  # type: ignore[arg-type]


TITLES = [
    (going_on(cause(), seconds_left=230), "3 of 12 jobs done, 1 failed, about 4 min left"),
    (going_on(cause(BASE)), "3 of 12 jobs done, 1 failed, none of them new"),
    (
        going_on(cause(PENDING, said=AWAITED), counts=Counts(3, 2, 1)),
        "3 of 3 jobs done, 1 failed, waiting for the log of 1 job",
    ),
    (
        going_on(cause(PENDING, *THREE, said=AWAITED), cause(BASE), seconds_left=230),
        "3 of 12 jobs done, 1 failed, waiting for the logs of 3 jobs, about 4 min left",
    ),
    (going_on(counts=Counts(12, 3), seconds_left=30), "3 of 12 jobs done, about a minute left"),
    (going_on(counts=Counts(12, 3), seconds_left=0), "3 of 12 jobs done, longer than usual"),
    (going_on(counts=Counts()), "No job has begun yet"),
    (going_on(counts=Counts(), waiting_for_approval=(WAITING,)), "Waiting for approval"),
    (report(cause()), "1 new failure"),
    (report(cause(NEW, *THREE), cause()), "2 new failures in 4 jobs"),
    (report(cause(), cause(BASE), cause(BASE)), "1 new failure, 2 known on main"),
    (report(cause(), cause(FLAKY), cause(INFRA)), "1 new failure, 1 likely flaky, 1 infrastructure fault"),
    (report(cause(), cause(NO_BASE)), "1 new failure and 1 unclassified"),
    (report(cause(PENDING), cause(NO_BASE)), "2 failures"),
    (report(cause(), counts=Counts(9, 6, 1, 2)), "1 new failure, 2 jobs cancelled"),
    (report(runs_without_jobs=(run(conclusion="startup_failure"),)), "1 workflow could not start"),
    (report(counts=Counts(3, 1, 2)), "2 jobs failed"),
    (report(cause(BASE, job(1), job(2)), conclusion=Conclusion.NEUTRAL), "No new failures: 2 jobs failed as on main"),
    (
        report(cause(BASE), cause(FLAKY), cause(INFRA), conclusion=Conclusion.NEUTRAL),
        "No new failures: 1 job failed as on main, 1 as in other pull requests, 1 because of the infrastructure",
    ),
    (report(conclusion=Conclusion.NEUTRAL), "No new failures"),
    (report(conclusion=Conclusion.CANCELLED), "Cancelled"),
    (report(conclusion=Conclusion.CANCELLED, counts=Counts(12, 9, 0, 3)), "Cancelled: 3 of 12 jobs"),
    (report(conclusion=Conclusion.ACTION_REQUIRED, waiting_for_approval=(WAITING,)), "Waiting for approval"),
    (
        report(conclusion=Conclusion.ACTION_REQUIRED, waiting_for_approval=(WAITING,) * 2),
        "Waiting for approval of 2 workflows",
    ),
    (report(conclusion=Conclusion.SUCCESS), "All 12 jobs passed"),
    (report(conclusion=Conclusion.SUCCESS, counts=Counts(12, 10, skipped=2)), "10 jobs passed, 2 skipped"),
    (report(conclusion=Conclusion.SUCCESS, counts=Counts(1, 1)), "The only job passed"),
    (report(conclusion=Conclusion.SUCCESS, flakes=(FLAKE,)), "All 12 jobs passed, 1 of them only when run again"),
    (report(conclusion=Conclusion.SUCCESS, counts=Counts(2, skipped=2)), "Nothing had to be done: 2 jobs skipped"),
    (report(conclusion=Conclusion.SUCCESS, counts=Counts()), "No job ran"),
]  # fmt: skip


@pytest.mark.parametrize(("told", "title"), TITLES, ids=[title for _, title in TITLES])
def test_the_title(told: Report, title: str) -> None:
    assert check_text(told).title == title


@pytest.mark.parametrize(
    "branch", ["www.evil.example", "GH-12", "a" * 61, "deadbeef", "fix/1234567", "@all", "a@b", "x#1", "", None]
)
def test_a_branch_that_can_be_more_than_a_name_is_not_in_the_title(branch: str | None) -> None:
    told = report(cause(BASE), conclusion=Conclusion.NEUTRAL, base_branch=branch)
    assert check_text(told).title == "No new failures: 1 job failed as on the base branch"


def test_the_summary_while_jobs_are_running() -> None:
    summary = check_text(going_on(cause(base=None, failure_class=NO_BASE), seconds_left=230)).summary
    assert summary.startswith(
        "**3 of 12 jobs** done at `abc1234`: 1 failed, 2 passed, 5 running, 4 waiting. About 4 min left.\n\n"
        "#### `assert 500 == 402`\n"
        "- **Not known**: the workflow has not run on `main`\n"
    )


@pytest.mark.parametrize(("failed", "words"), [(1, "1 failed (not new)"), (2, "2 failed (none of them new)")])
def test_the_summary_says_that_nothing_is_new_before_all_is_done(failed: int, words: str) -> None:
    assert f": {words}, 2 passed" in check_text(going_on(cause(BASE), counts=replace(RUNNING, failed=failed))).summary


def test_the_summary_of_what_is_excused_alone_shows_it_in_full() -> None:
    summary = check_text(report(cause(BASE, base=FAILS_ALIKE), conclusion=Conclusion.NEUTRAL)).summary
    assert "### Not because of this pull request\n\n#### `assert 500 == 402`\n- **Not new**: " in summary
    assert "→ E       assert 500 == 402" in summary


def test_a_run_that_has_jobs_did_not_fail_before_they_began() -> None:
    ended = [run(2, "Docs", conclusion="cancelled", has_jobs=True), run(3, "Release", has_jobs=True), run(4, "Site")]
    told = check_text(report(runs_without_jobs=tuple(ended)))
    assert told.title == "1 workflow could not start, 1 workflow failed"
    assert "runs/3) failed**, though none of its jobs is known to have" in told.summary
    assert "1 workflow cancelled, though no job is known to have been." in told.summary
    assert "runs/4) failed** before any job began" in told.summary


def test_the_summary_tells_what_else_happened() -> None:
    told = report(
        conclusion=Conclusion.SUCCESS,
        flakes=(FLAKE,),
        cancelled_jobs=(job(1, "a"), job(2, "b")),
        runs_without_jobs=(run(2, "Docs", conclusion="cancelled"), run(3, "Release", conclusion="timed_out")),
        waiting_for_approval=(run(4, "Deploy"),),
    )
    summary = check_text(told).summary
    assert "`#1 failed → #2 passed`, 4th time in 14 days" in summary
    assert "\n\nCancelled: `a` and `b`." in summary
    assert "1 workflow cancelled before any job began." in summary
    assert "**[`Release`](https://github.com/octo/shop/actions/runs/3) timed out** before any job began" in summary
    assert "### Waiting for approval\n\n- [`Deploy`](https://github.com/octo/shop/actions/runs/4)" in summary


def test_all_causes_are_shown_where_there_is_room_and_three_with_lines() -> None:
    summary = check_text(report(*[cause(said=failure(f"Error: number {n}")) for n in range(40)])).summary
    assert all(f"`Error: number {n}`" in summary for n in range(40))
    assert summary.count("```text") == 3
    assert "not shown here" not in summary


def test_of_too_many_causes_the_last_are_counted() -> None:
    said = failure("Error: " + "ö" * 150, test="t" * 160, lines=("x",))
    summary = check_text(report(*[cause(said=said)] * 500)).summary
    assert size(summary) <= 60_000
    shown = summary.count(" in [`CI / test (3.12)`]") + summary.count("In [`CI / test (3.12)`]")
    assert shown > 80
    assert summary.endswith(f"**{500 - shown} more causes** are not shown here.")


@given(seeds, words)
def test_an_estimate_alone_is_not_worth_a_write(seed: int, words: list[str]) -> None:
    told = Maker(seed, words).report()
    assert told_apart(replace(told, seconds_left=7)) == told_apart(replace(told, seconds_left=70_000))


def test_that_it_takes_longer_than_usual_is_worth_one() -> None:
    assert told_apart(going_on(seconds_left=0)) != told_apart(going_on(seconds_left=30))


def test_progress_is_worth_one() -> None:
    assert told_apart(going_on()) != told_apart(going_on(counts=replace(RUNNING, passed=3, running=4)))


@pytest.mark.parametrize("room", range(300, 700, 7))
def test_blocks_are_cut_between_two_of_them(room: int) -> None:
    blocks = [Block(f"{n} " + "ä" * 30, is_item=bool(n % 2), heading="Next" if n == 4 else None) for n in range(9)]
    text = within(room, "head", blocks, "\n\ntail", left_out=2)
    assert size(text) <= room
    assert text.startswith("head")
    assert text.endswith("tail")
    shown = [block for block in blocks if block.text in text]
    assert shown == blocks[: len(shown)]
    assert text.count("ä") == 30 * len(shown)
    assert f"**{11 - len(shown)} more causes** are not shown here." in text
    assert ("### Next" in text) == (len(shown) > 4)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1st"),
        (2, "2nd"),
        (3, "3rd"),
        (4, "4th"),
        (11, "11th"),
        (12, "12th"),
        (13, "13th"),
        (21, "21st"),
        (111, "111th"),
    ],
)
def test_ordinals(count: int, text: str) -> None:
    assert ordinal(count) == text


def test_numbers() -> None:
    assert (number(1, "job"), number(0, "job"), number(1_200, "job")) == ("1 job", "0 jobs", "1,200 jobs")
