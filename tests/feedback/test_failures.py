"""Why a job failed, found out on the simulated GitHub and kept, on either database."""

import asyncio
import json

import pytest

from bot.demo.github.rest import ServerError
from bot.demo.github.state import causes
from bot.demo.github.state.actions import Job
from bot.demo.github.state.checks import Annotation
from bot.domain.feedback.report import Source
from bot.feedback.failures import BASES, annotations_of, failures_of
from tests.feedback.ward import (
    ANNOTATIONS,
    FAILED,
    LAST,
    LOG,
    SCRIPT,
    STEP,
    Ward,
    give_up,
)

# Where it is found


async def test_what_annotations_and_the_log_agree_on_is_told_as_annotated(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    before = await ward.summary(job)
    failure = await ward.look_into(job)
    assert (failure.source, failure.step, failure.exit_code) == (Source.ANNOTATIONS, STEP, 2)
    assert failure.anchor == "src/upload.ts:12: Type 'string' is not assignable to type 'number'."
    assert failure.anchor in failure.lines
    assert not failure.is_generic
    assert ward.asked(LOG) == 1
    kept = (await annotations_of(ward.tools.database.reader, [job.id]))[job.id]
    assert [(each.path, each.start_column) for each in kept] == [("src/upload.ts", 7), (".github", None)]
    after = await ward.summary(job)
    assert after["revision"] == before["revision"] + 1
    assert (after["changed_at"], after["due_at"], after["urgency"]) == (before["changed_at"], before["due_at"], 0)


async def test_what_says_only_that_it_failed_leads_to_the_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    await ward.put_summaries_off()
    failure = await ward.look_into(job)
    assert (failure.source, failure.step, failure.exit_code, failure.kind) == (Source.LOG, STEP, 1, "python")
    assert (failure.test or "").endswith("test_resumes")
    assert failure.anchor in failure.lines
    assert 0 < len(failure.lines) <= 20
    assert not failure.is_generic
    row, summary = await ward.row(job), await ward.summary(job)
    assert (row["due_at"], row["tries"]) == (None, 0)
    assert (summary["due_at"], summary["urgency"]) == (ward.now, 0)


async def test_the_same_failure_elsewhere_has_the_same_fingerprint(ward: Ward) -> None:
    jobs = await ward.fail(causes.pytest(line=88), causes.pytest(line=91), causes.pytest("tests/test_a.py::test_b"))
    await ward.want(jobs)
    assert await ward.examine() == 3
    found = await failures_of(ward.tools.database.reader, [job.id for job in jobs])
    one, same, other = (found[job.id].fingerprint for job in jobs)
    assert one == same != other
    every = [found[job.id].fingerprints for job in jobs]
    assert every == [(one,), (one,), (other,)]


async def test_a_lost_runner_leaves_an_annotation_and_no_log(ward: Ward) -> None:
    run = ward.start("topic")
    job = next(job for job in run.jobs if job.name == "unit")
    ward.house.github.actions.jobs.start(job)
    ward.house.github.actions.jobs.lose_runner(job)
    await ward.hear()
    failure = await ward.look_into(job)
    assert (failure.source, failure.kind, failure.is_generic) == (Source.ANNOTATIONS, "runner", False)
    assert "lost communication with the server" in (failure.anchor or "")
    assert ward.asked(LOG) == 0


async def test_annotations_that_may_not_be_read_do_not_stand_before_the_log(ward: Ward) -> None:
    first, second = await ward.fail(causes.tsc(), causes.pytest())
    ward.house.github.rest.scripted_faults.add(ServerError(404), operation=ANNOTATIONS)
    assert (await ward.look_into(first)).source is Source.LOG
    ward.house.github.rest.scripted_faults.add(ServerError(403), operation=ANNOTATIONS)
    assert (await ward.look_into(second)).source is Source.LOG
    assert await annotations_of(ward.tools.database.reader, [first.id, second.id]) == {first.id: (), second.id: ()}


# Where annotations name a part of what failed


def note(ward: Ward, job: Job, message: str, path: str = "src/a.py", title: str = "") -> None:
    """Let something be noted on a job before the runner's last word."""
    ward.house.github.world.annotations[job.id].insert(0, Annotation(path, 3, 3, "failure", message, title))


async def test_an_annotation_that_names_a_test_spares_the_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    note(ward, job, "AssertionError: no", "tests/test_a.py", "FAILED tests/test_a.py::test_b")
    failure = await ward.look_into(job)
    assert (failure.source, failure.test) == (Source.ANNOTATIONS, "tests/test_a.py::test_b")
    assert ward.asked(LOG) == 0


async def test_what_another_step_noted_does_not_hide_why_the_job_failed(ward: Ward) -> None:
    plain, noted = await ward.fail(causes.pytest(), causes.pytest())
    note(ward, noted, "F821 undefined name 'x'")
    expected, failure = await ward.look_into(plain), await ward.look_into(noted)
    assert (failure.source, failure.test) == (Source.LOG, expected.test)
    assert failure.fingerprints == expected.fingerprints


async def test_what_the_same_step_did_not_note_is_told(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    finding = "2026-01-05T09:00:07.0000000Z ##[error]src/a.ts(3,7): error TS2322: Type 'A' is not assignable.\n"
    ward.house.github.world.logs[job.id] = SCRIPT + finding + FAILED + LAST
    note(ward, job, "Type 'A' is not assignable.", "src/a.ts")
    failure = await ward.look_into(job)
    assert failure.source is Source.LOG
    assert "tests/test_a.py::test_b" in " ".join([failure.test or "", *failure.lines, *failure.further])


async def test_a_warning_is_no_cause(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    warning = Annotation("src/a.py", 3, 3, "warning", "F401 imported but unused")
    ward.house.github.world.annotations[job.id].insert(0, warning)
    assert (await ward.look_into(job)).source is Source.LOG


@pytest.mark.parametrize(("ready_after", "tries"), [(1e9, [0, 2, 7, 22]), (0, [0])], ids=["never there", "forbidden"])
async def test_without_a_log_the_part_that_is_noted_has_to_do(
    ward: Ward, ready_after: float, tries: list[float]
) -> None:
    (job,) = await ward.fail(causes.tsc())
    ward.house.github.rest.logs.ready_after = ready_after
    if not ready_after:
        ward.house.github.rest.scripted_faults.add(ServerError(403), operation=LOG)
    await ward.want([job])
    assert await give_up(ward, job) == tries
    failure = await ward.told(job)
    assert failure is not None
    assert (failure.source, failure.exit_code) == (Source.ANNOTATIONS, 2)


# What is kept


async def test_no_null_character_and_no_token_is_kept(ward: Ward) -> None:
    token = "ghs_" + "a1B2" * 9
    said = f"FAILED tests/test_a.py::test_b\0 - Error: {token} was refused"
    first, second = await ward.fail(causes.pytest(), causes.pytest())
    ward.house.github.world.logs[first.id] = SCRIPT + f"2026-01-05T09:00:08.0000000Z {said}\n" + LAST
    note = Annotation("src/a\0.py", 3, 3, "failure", f"{said}\n\0", f"refused {token}")
    ward.house.github.world.annotations[second.id].append(note)
    for job in (first, second):
        await ward.look_into(job)
        row = json.dumps(
            {name: value for name, value in (await ward.row(job)).items() if name != "due_at"}, default=str
        )
        assert token not in row
        assert "\\u0000" not in row
        assert "[redacted]" in row


async def test_words_on_the_runner_that_a_script_prints_lead_to_the_log(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    said = "The runner has received a shutdown signal."
    ward.house.github.world.annotations[job.id].append(Annotation(".github", 1, 1, "failure", said))
    failure = await ward.look_into(job)
    assert (failure.source, failure.kind) == (Source.LOG, "python")


async def test_long_annotations_keep_nobody_waiting(ward: Ward) -> None:
    (job,) = await ward.fail(causes.pytest())
    notes = [Annotation(".github", line, line, "failure", "eyJ" * 21_000) for line in range(1, 200)]
    ward.house.github.world.annotations[job.id] += notes
    await ward.want([job])
    looked = asyncio.create_task(ward.examine())
    longest, loop = 0.0, asyncio.get_running_loop()
    while not looked.done():
        began = loop.time()
        await asyncio.sleep(0)
        longest = max(longest, loop.time() - began)
    assert await looked == 1
    assert longest < 1


async def test_each_job_is_wanted_once(ward: Ward) -> None:
    jobs = await ward.fail(*[causes.tsc()] * 3)
    assert await ward.want(jobs[1:]) == 2
    assert await ward.want([*jobs, *jobs]) == 1
    assert await ward.want(jobs, BASES) == 0
    assert await ward.want([]) == 0
    assert [(await ward.row(job))["urgency"] for job in jobs] == [0, 0, 0]


async def test_the_most_urgent_come_first(ward: Ward) -> None:
    base, late, early = await ward.fail(*[causes.tsc()] * 3)
    await ward.want([base], BASES)
    await ward.want([early])
    await ward.house.clock.advance(1)
    await ward.want([late])
    order = []
    while await ward.examine(at_most=1):
        order += [job for job in (base, late, early) if job not in order and await ward.told(job)]
    assert order == [early, late, base]


async def test_two_that_look_at_once_tell_it_once(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    before = await ward.summary(job)
    await ward.want([job])
    await asyncio.gather(ward.examine(), ward.examine())
    assert (await ward.summary(job))["revision"] == before["revision"] + 1


async def test_a_hidden_repository_is_left_alone(ward: Ward) -> None:
    (job,) = await ward.fail(causes.tsc())
    await ward.want([job])
    await ward.tools.database.execute("UPDATE repository SET hidden_at = ?", ward.now)
    assert await ward.examine() == 0
