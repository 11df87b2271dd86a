"""Which commits and comments are to be looked at because something of them was recorded: marks that are rows as well.

They are written in the transaction that records the facts, so that no crash between the two forgets one. A mark says
only that something may have changed; what is to be told is read off the record at the moment of telling it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain import facts
from bot.recorder.statements import Statement
from bot.store.database import Transaction

# What is older is no news to anybody: GitHub keeps deliveries for three days, and people go on holiday.
NEWS_SPAN = timedelta(days=7)

_LOOK_NOW = (
    "revision = {table}.revision + 1, changed_at = {at}, urgency = 0, tries = 0,"
    " due_at = CASE WHEN {table}.due_at < {at} THEN {table}.due_at ELSE {at} END"
)
_MARK_COMMIT = (
    "INSERT INTO check_summary (repository_id, head_sha, changed_at, due_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (repository_id, head_sha) DO UPDATE SET "
    + _LOOK_NOW.format(table="check_summary", at="excluded.changed_at")
)
_MARK_COMMENT = (
    "UPDATE failure_comment SET "
    + _LOOK_NOW.format(table="failure_comment", at="?")
    + " WHERE repository_id = ? AND number = ?"
)


class Marks(StrEnum):
    """When recording lets something be looked at: always, only for what was not known, or never.

    Deliveries tell news, and comparing each would cost more than a look that finds nothing. History tells much that is
    known; what was before the App came is no news at all.
    """

    ALWAYS = "always"
    IF_NEW = "if new"
    NEVER = "never"


Told = facts.WorkflowRun | facts.WorkflowJob | facts.PullRequest
_KEYS: dict[type[Told], tuple[str, tuple[str, ...]]] = {
    facts.WorkflowRun: ("workflow_run_attempt", ("run_id", "run_attempt")),
    facts.WorkflowJob: ("workflow_job", ("job_id",)),
    facts.PullRequest: ("pull_request", ("repository_id", "number")),
}


async def only_news(tx: Transaction, told: Sequence[facts.Facts]) -> list[facts.Facts]:
    """Return those of the runs, jobs and pull requests that are newer than what is recorded."""
    newer: list[facts.Facts] = []
    for kind, (table, key) in _KEYS.items():
        found = {_key(fact, key): fact for fact in told if isinstance(fact, kind)}
        known = await _versions(tx, table, key, found)
        newer += [fact for name, fact in found.items() if fact.version > known.get(name, b"")]
    return newer


def _key(fact: Told, columns: Sequence[str]) -> tuple[int, ...]:
    return tuple(getattr(fact, column) for column in columns)


async def _versions(
    tx: Transaction, table: str, key: Sequence[str], wanted: Iterable[tuple[int, ...]]
) -> dict[tuple[int, ...], bytes]:
    firsts = sorted({values[0] for values in wanted})
    if not firsts:
        return {}
    places = ", ".join("?" * len(firsts))
    rows = await tx.fetch(f"SELECT {', '.join(key)}, version FROM {table} WHERE {key[0]} IN ({places})", *firsts)
    return {tuple(row[column] for column in key): bytes(row["version"]) for row in rows}


def due_statements(told: Sequence[facts.Facts], now: datetime) -> list[Statement]:
    """Return what lets the commits and comments be looked at that these facts are about, if they are recent."""
    recent = [fact for fact in told if isinstance(fact, Told) and _is_recent(fact, now)]
    commits = sorted({(fact.repository_id, fact.head_sha) for fact in recent if fact.head_sha is not None})
    pulls = sorted({(fact.repository_id, fact.number) for fact in recent if isinstance(fact, facts.PullRequest)})
    return [
        Statement(_MARK_COMMIT, [(repository, sha, now, now) for repository, sha in commits]),
        Statement(_MARK_COMMENT, [(now, now, now, repository, number) for repository, number in pulls]),
    ]


def _is_recent(fact: Told, now: datetime) -> bool:
    return max(_moments(fact), default=now) >= now - NEWS_SPAN


def _moments(fact: Told) -> Iterator[datetime]:
    for name in ("updated_at", "completed_at", "started_at", "created_at"):
        moment = getattr(fact, name, None)
        if moment is not None:
            yield moment
