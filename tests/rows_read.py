"""How many rows PostgreSQL has read of each table, in whichever way."""

from bot.store.database import Database

TABLES = (
    "delivery",
    "workflow_run",
    "workflow_run_attempt",
    "workflow_job",
    "run_pull_request",
    "check_summary",
    "run_wanted",
)
_READ = (
    "SELECT relname, seq_tup_read + (SELECT COALESCE(sum(idx_tup_read), 0) FROM pg_stat_user_indexes AS of_index"
    " WHERE of_index.relid = of_table.relid) AS read FROM pg_stat_user_tables AS of_table"
)


async def leave_unanalyzed(database: Database) -> None:
    """Keep PostgreSQL from looking at the tables by itself, which may happen in the middle of a test, or not.

    What it found when another test had this database is forgotten.
    """
    for table in TABLES:
        await database.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        await database.execute(f"DELETE FROM pg_statistic WHERE starelid = '{table}'::regclass")
        await database.execute(f"UPDATE pg_class SET relpages = 0, reltuples = -1 WHERE oid = '{table}'::regclass")


async def rows_read(database: Database) -> dict[str, int]:
    """Return how many rows and entries of indexes were read of each table that grows, since the database began.

    What further connections read is told some seconds later, on a busy machine in another half than it was read in.
    """
    for connection in (database.reader, database):
        await connection.fetch("SELECT pg_stat_force_next_flush()")
    return {row["relname"]: int(row["read"]) for row in await database.fetch(_READ) if row["relname"] in TABLES}


def grown(counts: list[dict[str, int]], at_least: int) -> dict[str, tuple[int, int]]:
    """Return those tables of which more was read from the second count to the third than from the first to the second.

    It is no growth where it is by less than half, or than `at_least`.
    """
    first, then, last = counts
    halves = {table: (then[table] - first[table], last[table] - then[table]) for table in TABLES}
    return {table: (one, other) for table, (one, other) in halves.items() if other > 1.5 * one + at_least}
