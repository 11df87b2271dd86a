"""What becomes of a pull request: forks and drafts, what is closed or locked meanwhile, and the commits that follow."""

from bot.demo.github.plays import fails_in
from tests.feedback.harness import Harness
from tests.feedback.moves import GIVES_UP, RESUMES, finish, fork_pull, push_to_main, start
from tests.feedback.scenes.one_commit import one_failure


async def fork(house: Harness) -> None:
    """A pull request from a fork fails."""
    await push_to_main(house)
    await finish(house, *start(house, fork_pull(house)), failing=fails_in("unit", cause=RESUMES))


async def draft(house: Harness) -> None:
    """A draft fails, and stays a draft."""
    await push_to_main(house)
    pull = house.github.pulls.open(house.stage.repository, "A draft", house.stage.person, branch="topic", draft=True)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def made_ready(house: Harness) -> None:
    """A draft fails, and is made ready for review afterwards."""
    await draft(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.mark_ready(pull)


async def closed_meanwhile(house: Harness) -> None:
    """A pull request is closed before its run fails."""
    await push_to_main(house)
    pull = house.stage.open()
    runs = start(house, pull)
    await house.passes(5)
    house.github.pulls.close(pull)
    await house.passes(30)
    await finish(house, *runs, failing=fails_in("unit", cause=RESUMES))


async def locked(house: Harness) -> None:
    """The conversation of a pull request is locked before its run fails."""
    await push_to_main(house)
    pull = house.stage.open()
    await house.passes(5)
    house.github.pulls.lock(pull, house.people["hubot"], "too heated")
    await house.passes(30)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def muted(house: Harness) -> None:
    """A pull request bears the label by which it asks for silence."""
    await push_to_main(house)
    pull = house.stage.open()
    await house.passes(5)
    house.github.pulls.label(pull, "ci-mute")
    await house.passes(30)
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def head_moved_meanwhile(house: Harness) -> None:
    """A commit fails just after the next one was pushed, and the next one passes."""
    await push_to_main(house)
    pull = house.stage.open()
    (first,) = start(house, pull)
    jobs = house.github.actions.jobs
    jobs.start(first.get_job("unit"))
    await house.passes(40)
    house.github.pulls.push(pull, "Say it otherwise")
    (second,) = start(house, pull)
    await house.passes(2)
    jobs.complete(first.get_job("unit"), "failure", cause=RESUMES)
    await finish(house, first)
    await finish(house, second)


async def green_again(house: Harness) -> None:
    """A commit fails, and the next one passes."""
    await one_failure(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.push(pull, "Mend it")
    await finish(house, *start(house, pull))


async def red_again(house: Harness) -> None:
    """A commit fails, the next one passes, the third one fails otherwise."""
    await green_again(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.push(pull, "Break something else")
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=GIVES_UP))


async def force_push_back(house: Harness) -> None:
    """A commit fails, the next one passes, and the branch is pushed back to the first, which fails again."""
    await green_again(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    house.github.pulls.push_back(pull, pull.commits[0])
    await finish(house, *start(house, pull), failing=fails_in("unit", cause=RESUMES))


async def new_base(house: Harness) -> None:
    """A pull request that fails is to be merged into another branch, which fails in the same way."""
    await one_failure(house)
    await house.settle()
    (pull,) = house.github.world.pull_requests.values()
    repository, hubot = house.stage.repository, house.people["hubot"]
    house.github.repositories.push(repository, "Cut the release", hubot, "release")
    tip = repository.tip("release")
    run = house.github.actions.start_run(house.stage.workflow, event="push", tip=tip, actor=hubot)
    await finish(house, run, failing=fails_in("unit", cause=RESUMES))
    await house.settle()
    house.github.pulls.change_base(pull, "release")
