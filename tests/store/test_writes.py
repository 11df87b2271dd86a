"""Writes of many rows: the same on both databases, and on SQLite with no index written that need not be."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.store import connected, models
from bot.store.answering import to_text
from bot.store.conversation import Among, Conversation, Question, padded, written
from bot.store.database import Database, columns_of
from bot.store.wanted import WantedRun, wanting
from bot.store.writes import ForEach, Form, Pattern, Statement, Upsert

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
WORKFLOW = models.Workflow
COLUMNS = tuple(columns_of(WORKFLOW, "id"))
NEWER = "excluded.version > workflow.version"


def form() -> Form:
    """Return a form that takes whatever is newer, and where the index is on `repository_id`."""
    taken = {name: f"CASE WHEN {NEWER} THEN excluded.{name} ELSE workflow.{name} END" for name in COLUMNS[1:]}
    return Form(WORKFLOW, ("workflow_id",), COLUMNS, taken)


def row(workflow_id: int, repository_id: int, version: int, name: str | None = "CI") -> tuple[Any, ...]:
    values: Mapping[str, Any] = {
        "workflow_id": workflow_id,
        "repository_id": repository_id,
        "name": name,
        "path": None,
        "version": bytes([version]),
    }
    return tuple(values[column] for column in COLUMNS)


async def stored(database: Database) -> list[tuple[Any, ...]]:
    rows = await database.fetch(f"SELECT {', '.join(COLUMNS)} FROM workflow ORDER BY workflow_id")
    return [tuple(bytes(value) if name == "version" else value for name, value in each.items()) for each in rows]


async def test_rows_are_inserted_or_merged(database: Database) -> None:
    upserts = form()
    async with database.transaction() as tx:
        await tx.write([Upsert(upserts, [row(1, 10, 5), row(2, 10, 5), row(3, 10, 5)])])
        # Another repository and newer, another and older, the same and newer, and one that is not there yet.
        later = [row(1, 20, 6, None), row(2, 20, 4), row(3, 10, 6, "Nightly"), row(4, 10, 1)]
        await tx.write([Upsert(upserts, later)])
    assert await stored(database) == [row(1, 20, 6, None), row(2, 10, 5), row(3, 10, 6, "Nightly"), row(4, 10, 1)]


async def test_an_index_is_left_alone_where_nothing_of_it_changes(migrated_sqlite: str) -> None:
    upserts = form()
    sent: list[str] = []
    async with connected(migrated_sqlite) as database, database.transaction() as tx:
        await tx.write([Upsert(upserts, [row(1, 10, 5), row(2, 10, 5)])])
        await tx.in_one_go(lambda connection: connection.set_trace_callback(sent.append))
        await tx.write([Upsert(upserts, [row(1, 10, 6), row(2, 20, 6)])])
        await tx.in_one_go(lambda connection: connection.set_trace_callback(None))
    sets = [sql.partition("DO UPDATE SET")[2] for sql in sent if sql.startswith("INSERT INTO workflow ")]
    assert ["repository_id = " in each for each in sets] == [False, True]
    assert all("version = " in each for each in sets)


async def test_a_pattern_is_for_each_row(database: Database) -> None:
    rename = Pattern(
        "UPDATE workflow SET name = {name}{from_each} WHERE workflow.workflow_id = {id} AND workflow.name <> {name}",
        {"id": "BIGINT", "name": "TEXT"},
    )
    async with database.transaction() as tx:
        await tx.write([Upsert(form(), [row(1, 10, 5), row(2, 10, 5)]), ForEach(rename, [(1, "one?"), (3, "three")])])
    assert await stored(database) == [row(1, 10, 5, "one?"), row(2, 10, 5)]


async def test_a_conversation_hears_what_it_has_written(database: Database) -> None:
    def talk() -> Conversation[list[Any]]:
        yield from written([Upsert(form(), [row(1, 10, 5)]), Upsert(form(), []), Statement("no SQL at all", [])])
        told = yield Question(
            "INSERT INTO heartbeat (name, at) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING name", ["a", NOW]
        )
        found = yield Question("SELECT workflow_id FROM workflow WHERE workflow_id IN (?, ?)", padded([1, 1]))
        return [*told, *found]

    async with database.transaction() as tx:
        assert [tuple(each) for each in await tx.converse(talk())] == [("a",), (1,)]


async def test_a_question_about_many_is_the_same_text_for_any_number(database: Database) -> None:
    def talk(among: list[int]) -> Conversation[list[int]]:
        yield Upsert(form(), [row(number, 10, 5) for number in range(1, 6)])
        asked = "SELECT workflow_id FROM workflow WHERE repository_id = ? AND workflow_id {among}"
        return sorted(row[0] for row in (yield Among(asked, among, (10,))))

    for among in ([], [2], [3, 1, 3, 99], list(range(2, 2000))):
        async with database.transaction() as tx:
            assert await tx.converse(talk(among)) == [number for number in range(1, 6) if number in among]


async def test_texts_can_be_asked_about_as_numbers_are(database: Database) -> None:
    def talk(among: list[str]) -> Conversation[list[int]]:
        yield Upsert(
            form(), [row(1, 10, 5, "one"), row(2, 10, 5, 'it\'s "2"'), row(3, 20, 5, "one"), row(4, 10, 5, None)]
        )
        asked = "SELECT workflow_id FROM workflow WHERE repository_id = ? AND name {among}"
        return sorted(row[0] for row in (yield Among(asked, among, (10,))))

    for among, expected in (([], []), (["one", "three"], [1]), (['it\'s "2"', "one"], [1, 2])):
        async with database.transaction() as tx:
            assert await tx.converse(talk(among)) == expected


async def test_a_pattern_deletes_for_each_row(database: Database) -> None:
    drop = Pattern(
        "DELETE FROM workflow{using_each} WHERE workflow.workflow_id = {id} AND workflow.repository_id >= {least}",
        {"id": "BIGINT", "least": "BIGINT"},
    )
    async with database.transaction() as tx:
        await tx.write([Upsert(form(), [row(1, 10, 5), row(2, 10, 5), row(3, 20, 5)])])
        await tx.write([ForEach(drop, [(1, 10), (2, 11), (3, 11), (4, 0)])])
    assert await stored(database) == [row(2, 10, 5)]


async def test_what_is_wanted_is_merged_on_both(database: Database) -> None:
    def want(run_id: int, urgency: int) -> WantedRun:
        return WantedRun(run_id, 5, 10, None, urgency, urgency == 0, NOW, NOW + timedelta(hours=urgency))

    async with database.transaction() as tx:
        await tx.write([wanting([want(2, 3), want(1, 1)])])
        await tx.write([wanting([want(1, 3), want(2, 0)])])
    rows = await database.fetch("SELECT run_id, urgency, with_jobs FROM run_wanted ORDER BY run_id")
    assert [(each["run_id"], each["urgency"], bool(each["with_jobs"])) for each in rows] == [
        (1, 1, False),
        (2, 0, True),
    ]


@given(
    st.timedeltas(timedelta(days=-700_000), timedelta(days=2_000_000)),
    st.sampled_from([UTC, timezone(timedelta(hours=2))]),
)
def test_a_time_is_written_as_tortoise_does(after: timedelta, zone: timezone) -> None:
    moment = (NOW + after).astimezone(zone)
    assert to_text(moment) == moment.astimezone(UTC).isoformat(" ")


@given(st.lists(st.integers(), max_size=40))
def test_padding_adds_nothing_new(values: list[int]) -> None:
    more = padded(values)
    assert set(more) == set(values)
    assert len(more) == 0 or len(more) & (len(more) - 1) == 0
