"""What migrations know of the models, now and before each operation."""

from tortoise.migrations import operations as ops
from tortoise.migrations.schema_generator.state import State

from bot.store.connections import APP, WRITER
from bot.store.migrate import _context
from bot.store.replay import Replay

RUN = f"{APP}.WorkflowRun"


def fields(state: State) -> set[str]:
    return set(state.apps.get_model(RUN)._meta.fields_map)


async def test_a_copy_tells_what_was_before_whenever_it_is_asked(sqlite_url: str) -> None:
    async with _context(sqlite_url) as (context, apps):
        executor = Replay(context.connections.get(WRITER), apps)
        await executor.loader.build_graph()
        state = await executor._project_state(set(executor.loader.graph.nodes))
        before = fields(state)
        early, asked = state.clone(), state.clone()
        assert fields(asked) == before
        ops.RemoveField("WorkflowRun", "display_title").state_forward(APP, state)
        assert fields(state) == before - {"display_title"}
        assert fields(early) == fields(asked) == fields(early.clone()) == before
        assert early.apps.get_model(RUN) is early.apps.get_model(RUN) is not state.apps.get_model(RUN)
