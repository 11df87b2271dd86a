"""A pull request in the merge queue."""

from bot.demo.github.plays import fails_in
from tests.feedback.harness import Harness
from tests.feedback.moves import GIVES_UP, finish, push_to_main, queue_workflow, start


async def merge_group(house: Harness) -> None:
    """A pull request that is green fails in the merge queue, and is taken out of it."""
    await push_to_main(house, house.stage.workflow, queue_workflow(house))
    pull = house.stage.open()
    await finish(house, *start(house, pull))
    await house.settle()
    group = house.github.merge_queue.add(pull, house.people["hubot"])
    await finish(house, *group.runs, failing=fails_in("integration", cause=GIVES_UP))
    house.github.merge_queue.remove(group)


async def merged_by_queue(house: Harness) -> None:
    """A pull request passes in the merge queue and is merged."""
    await push_to_main(house, house.stage.workflow, queue_workflow(house))
    pull = house.stage.open()
    await finish(house, *start(house, pull))
    await house.settle()
    group = house.github.merge_queue.add(pull, house.people["hubot"])
    await finish(house, *group.runs)
    house.github.merge_queue.merge(group)
