"""Which commits and comments are to be looked at because something of them was recorded: marks that are rows as well.

They are written in the transaction that records the facts, so that no crash between the two forgets one. A mark says
only that something may have changed; what is to be told is read off the record at the moment of telling it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby

from bot.domain import facts, ordering
from bot.recorder.statements import Statement
from bot.store.database import Transaction

# What is older is no news to anybody: GitHub keeps deliveries for three days, and people go on holiday.
NEWS_SPAN = timedelta(days=7)

# A look is never put off by what is recorded meanwhile.
_LOOK_NOW = (
    "revision = {table}.revision + 1, urgency = 0, tries = 0,"
    " due_at = CASE WHEN {table}.due_at < {now} THEN {table}.due_at ELSE {now} END"
)
_BEGIN = (
    "INSERT INTO check_summary (repository_id, head_sha, changed_at, due_at) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (repository_id, head_sha) DO UPDATE SET "
    + _LOOK_NOW.format(table="check_summary", now="excluded.due_at")
)
# Runs and jobs alone move what quiet is measured by: a pull request may be labelled all day.
_BEGIN_OR_CHANGE = f"{_BEGIN}, changed_at = excluded.changed_at"
_IS_TOLD = (
    " WHERE repository_id = ? AND head_sha = ? AND (status IS NOT NULL OR creating_since IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM failure_comment AS comment WHERE comment.repository_id = check_summary.repository_id"
    " AND comment.head_sha = check_summary.head_sha AND comment.state = 'red'))"
)
_LOOK_AGAIN = "UPDATE check_summary SET " + _LOOK_NOW.format(table="check_summary", now="?")
_KEEP_TRUE = _LOOK_AGAIN + _IS_TOLD
_KEEP_TRUE_AND_CHANGE = f"{_LOOK_AGAIN}, changed_at = ?{_IS_TOLD}"
_MARK_COMMENT = (
    "UPDATE failure_comment SET "
    + _LOOK_NOW.format(table="failure_comment", now="?")
    + ", changed_at = ? WHERE repository_id = ? AND number = ?"
)
_KEEP_COMMENT_TRUE = f"{_MARK_COMMENT} AND state = 'red'"
_MARK_COMMIT_OF_RUN = (
    f"{_LOOK_AGAIN}, changed_at = ? WHERE (repository_id, head_sha) IN"
    " (SELECT run.repository_id, run.head_sha FROM workflow_run AS run WHERE run.run_id = ?)"
)
_OPEN = "SELECT pull.{column} FROM pull_request AS pull WHERE pull.repository_id = {table}.repository_id"
_MARK_OPEN_HEADS = (
    f"{_LOOK_AGAIN} WHERE repository_id = ? AND head_sha IN"
    f" ({_OPEN.format(column='head_sha', table='check_summary')} AND pull.state = 'open')"
)
_MARK_OPEN_COMMENTS = (
    "UPDATE failure_comment SET "
    + _LOOK_NOW.format(table="failure_comment", now="?")
    + ", changed_at = ? WHERE repository_id = ? AND number IN"
    f" ({_OPEN.format(column='number', table='failure_comment')} AND pull.state = 'open')"
)


class Marks(StrEnum):
    """When recording lets something be looked at: always, only for what was not known, or only what is told already.

    Deliveries tell news, and comparing each would cost more than a look that finds nothing. History tells much that is
    known. What was before the App came is no news at all, and begins nothing; but what is told has to be kept true.
    """

    ALWAYS = "always"
    IF_NEW = "if new"
    IF_TOLD = "if told"


Told = facts.WorkflowRun | facts.WorkflowJob | facts.PullRequest
_KEYS: dict[type[Told], tuple[str, tuple[str, ...]]] = {
    facts.WorkflowRun: ("workflow_run_attempt", ("run_id", "run_attempt")),
    facts.WorkflowJob: ("workflow_job", ("job_id",)),
    facts.PullRequest: ("pull_request", ("repository_id", "number")),
}


async def only_news(tx: Transaction, told: Sequence[facts.Facts]) -> list[facts.Facts]:
    """Return those of the runs, jobs and pull requests that are newer than what is recorded, and tell another state."""
    newer: list[facts.Facts] = []
    for kind, (table, key) in _KEYS.items():
        found = {_key(fact, key): fact for fact in told if isinstance(fact, kind)}
        known = await _versions(tx, table, key, found)
        newer += [fact for name, fact in found.items() if _is_news(fact, known.get(name, b""))]
    return newer


def _is_news(fact: Told, known: bytes) -> bool:
    # The same state is told anew with each answer, however often it is asked for.
    return fact.version > known and not ordering.tell_the_same(fact.version, known)


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


def due_statements(told: Sequence[facts.Facts], now: datetime, marks: Marks = Marks.ALWAYS) -> list[Statement]:
    """Return what lets the commits and comments be looked at that these facts are about.

    What is not recent, or no news by `marks`, begins nothing: it lets be looked at what is told already.
    """
    marking = [fact for fact in told if isinstance(fact, Told)]
    return [*_commit_marks(marking, now, marks), *_comment_marks(marking, now, marks)]


def _commit_marks(told: Iterable[Told], now: datetime, marks: Marks) -> Iterator[Statement]:
    """Yield the marks of commits in the order of their keys, in which every writer takes its locks."""
    begins: dict[tuple[int, str], bool] = {}
    changed: set[tuple[int, str]] = set()
    made_at: dict[tuple[int, str], datetime] = {}
    for fact in told:
        if fact.head_sha is None:
            continue
        key = (fact.repository_id, fact.head_sha)
        begins[key] = begins.get(key, False) or _begins(fact, now, marks)
        if isinstance(fact, facts.PullRequest):
            made_at[key] = min(fact.updated_at, now)
        else:
            changed.add(key)
    kinds = groupby(sorted(begins), key=lambda key: (begins[key], key in changed))
    for (is_begun, is_changed), keys in kinds:
        changed_at = [now] if is_changed else []
        if is_begun:
            sql = _BEGIN_OR_CHANGE if is_changed else _BEGIN
            yield Statement(sql, [(*key, now if is_changed else made_at[key], now) for key in keys])
        else:
            sql = _KEEP_TRUE_AND_CHANGE if is_changed else _KEEP_TRUE
            yield Statement(sql, [(now, now, *changed_at, *key) for key in keys])


def _comment_marks(told: Iterable[Told], now: datetime, marks: Marks) -> Iterator[Statement]:
    pulls: dict[tuple[int, int], bool] = {}
    for fact in told:
        if isinstance(fact, facts.PullRequest):
            key = (fact.repository_id, fact.number)
            pulls[key] = pulls.get(key, False) or _begins(fact, now, marks)
    for begins, keys in groupby(sorted(pulls), key=pulls.__getitem__):
        yield Statement(_MARK_COMMENT if begins else _KEEP_COMMENT_TRUE, [(now, now, now, *key) for key in keys])


async def mark_repository(tx: Transaction, repository_id: int, now: datetime) -> None:
    """Let all that is told of a repository's open pull requests be looked at: what is wanted told has changed."""
    await tx.execute(_MARK_OPEN_HEADS, now, now, repository_id)
    await tx.execute(_MARK_OPEN_COMMENTS, now, now, now, repository_id)


async def mark_commit_of_run(tx: Transaction, run_id: int, now: datetime) -> None:
    """Let the commit of a run be looked at, if anything was ever to be told of it."""
    await tx.execute(_MARK_COMMIT_OF_RUN, now, now, now, run_id)


def _begins(fact: Told, now: datetime, marks: Marks) -> bool:
    return marks is not Marks.IF_TOLD and max(_moments(fact), default=now) >= now - NEWS_SPAN


def _moments(fact: Told) -> Iterator[datetime]:
    for name in ("updated_at", "completed_at", "started_at", "created_at"):
        moment = getattr(fact, name, None)
        if moment is not None:
            yield moment
