"""Which commits and comments are to be looked at because something of them was recorded: marks that are rows as well.

They are written in the transaction that records the facts, so that no crash between the two forgets one. A mark says
only that something may have changed; what is to be told is read off the record at the moment of telling it.
"""

import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import get_args

from bot.domain import facts, ordering
from bot.store import models
from bot.store.conversation import Among, Conversation
from bot.store.database import Transaction
from bot.store.writes import ForEach, Form, Pattern, Upsert, Write

# What is older is no news to anybody: GitHub keeps deliveries for three days, and people go on holiday.
NEWS_SPAN = timedelta(days=7)


def _looked_at(table: str, now: str) -> dict[str, str]:
    # A look is never put off by what is recorded meanwhile.
    due = f"CASE WHEN {table}.due_at < {now} THEN {table}.due_at ELSE {now} END"
    return {"revision": f"{table}.revision + 1", "urgency": "0", "tries": "0", "due_at": due}


def _look_again(table: str, now: str) -> str:
    values = ", ".join(f"{column} = {value}" for column, value in _looked_at(table, now).items())
    return f"UPDATE {table} SET {values}"


_COMMIT, _PULL = ("repository_id", "head_sha"), ("repository_id", "number")
_WHICH_COMMIT = {"now": "TIMESTAMPTZ", "repository_id": "BIGINT", "head_sha": "TEXT"}
_WHICH_PULL = {"now": "TIMESTAMPTZ", "repository_id": "BIGINT", "number": "INTEGER"}
_IS_TOLD = (
    " AND (check_summary.status IS NOT NULL OR check_summary.creating_since IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM failure_comment AS comment WHERE comment.repository_id = check_summary.repository_id"
    " AND comment.head_sha = check_summary.head_sha AND comment.state = 'red'))"
)
_TOLD_COMMITS = f"SELECT head_sha FROM check_summary WHERE repository_id = ? AND head_sha {{among}}{_IS_TOLD}"
_LOOK_AGAIN = _look_again("check_summary", "?")


def _again(table: str, key: Iterable[str], changed: str = "", condition: str = "") -> str:
    which = " AND ".join(f"{table}.{name} = {{{name}}}" for name in key)
    return f"{_look_again(table, '{now}')}{changed}{{from_each}} WHERE {which}{condition}"


_CHANGED = ", changed_at = {now}"
_KEEP_TRUE = Pattern(_again("check_summary", _COMMIT, condition=_IS_TOLD), _WHICH_COMMIT)
_KEEP_TRUE_AND_CHANGE = Pattern(_again("check_summary", _COMMIT, _CHANGED, _IS_TOLD), _WHICH_COMMIT)
_MARK_COMMENT = Pattern(_again("failure_comment", _PULL, _CHANGED), _WHICH_PULL)
_KEEP_COMMENT_TRUE = Pattern(
    _again("failure_comment", _PULL, _CHANGED, " AND failure_comment.state = 'red'"), _WHICH_PULL
)
_MARK_COMMIT_OF_RUN = Pattern(
    f"{_look_again('check_summary', '{now}')}{_CHANGED}"
    " FROM workflow_run AS run{and_each} WHERE run.run_id = {run_id}"
    " AND check_summary.repository_id = run.repository_id AND check_summary.head_sha = run.head_sha",
    {"now": "TIMESTAMPTZ", "run_id": "BIGINT"},
)
_OPEN = "SELECT pull.{column} FROM pull_request AS pull WHERE pull.repository_id = {table}.repository_id"
_MARK_OPEN_HEADS = (
    f"{_LOOK_AGAIN} WHERE repository_id = ? AND head_sha IN"
    f" ({_OPEN.format(column='head_sha', table='check_summary')} AND pull.state = 'open')"
)
_MARK_OPEN_COMMENTS = (
    f"{_look_again('failure_comment', '?')}, changed_at = ? WHERE repository_id = ? AND number IN"
    f" ({_OPEN.format(column='number', table='failure_comment')} AND pull.state = 'open')"
)


@functools.cache
def _begin(*, change: bool) -> Form:
    # Runs and jobs alone move what quiet is measured by: a pull request may be labelled all day.
    changed = {"changed_at": "excluded.changed_at"} if change else {}
    rules = _looked_at("check_summary", "excluded.due_at") | changed
    return Form(models.CheckSummary, _COMMIT, (*_COMMIT, "changed_at", "due_at"), rules)


class Marks(StrEnum):
    """When recording lets something be looked at: always, only for what was not known, or only what is told already.

    Deliveries tell news, and comparing each would cost more than a look that finds nothing. History tells much that is
    known. What was before the App came is no news at all, and begins nothing; but what is told has to be kept true.
    """

    ALWAYS = "always"
    IF_NEW = "if new"
    IF_TOLD = "if told"


Told = facts.WorkflowRun | facts.WorkflowJob | facts.PullRequest
# Asked of each fact: a tuple of classes is told apart in a quarter of the time that a union takes.
_WITH_OPEN_PULLS = (
    "SELECT repository_id FROM repository WHERE installation_id = ? AND EXISTS (SELECT 1 FROM pull_request AS pull"
    " WHERE pull.repository_id = repository.repository_id AND pull.state = 'open') ORDER BY repository_id"
)
_TOLD = get_args(Told)
_OF_COMMIT = (facts.WorkflowRun, facts.WorkflowJob)
_KEYS: dict[type[Told], tuple[str, tuple[str, ...]]] = {
    facts.WorkflowRun: ("workflow_run_attempt", ("run_id", "run_attempt")),
    facts.WorkflowJob: ("workflow_job", ("job_id",)),
    facts.PullRequest: ("pull_request", ("repository_id", "number")),
}


def worth_marking(told: Sequence[facts.Facts], marks: Marks) -> Conversation[Sequence[facts.Facts]]:
    """Find those of the facts, not recorded yet, that may let something be looked at."""
    if marks is Marks.ALWAYS:
        return told
    # Of a whole past hardly anything is told: then nothing of it needs to be compared.
    return (yield from _only_news((yield from _of_what_is_told(told)) if marks is Marks.IF_TOLD else told))


def _of_what_is_told(facts_told: Sequence[facts.Facts]) -> Conversation[list[facts.Facts]]:
    commits: dict[int, set[str]] = defaultdict(set)
    for fact in facts_told:
        if isinstance(fact, _OF_COMMIT) and fact.head_sha is not None:
            commits[fact.repository_id].add(fact.head_sha)
    told: set[tuple[int, str]] = set()
    for repository_id, shas in sorted(commits.items()):
        rows = yield Among(_TOLD_COMMITS, sorted(shas), (repository_id,))
        told.update((repository_id, sha) for (sha,) in rows)
    return [
        fact for fact in facts_told if not isinstance(fact, _OF_COMMIT) or (fact.repository_id, fact.head_sha) in told
    ]


def _only_news(told: Sequence[facts.Facts]) -> Conversation[list[facts.Facts]]:
    """Find those of the runs, jobs and pull requests that are newer than what is recorded, and tell another state."""
    newer: list[facts.Facts] = []
    for kind, (table, key) in _KEYS.items():
        found = {_key(fact, key): fact for fact in told if isinstance(fact, kind)}
        known = yield from _versions(table, key, found)
        newer += [fact for name, fact in found.items() if _is_news(fact, known.get(name, b""))]
    return newer


def _is_news(fact: Told, known: bytes) -> bool:
    # The same state is told anew with each answer, however often it is asked for.
    return fact.version > known and not ordering.tell_the_same(fact.version, known)


def _key(fact: Told, columns: Sequence[str]) -> tuple[int, ...]:
    return tuple(getattr(fact, column) for column in columns)


def _versions(
    table: str, key: Sequence[str], wanted: Iterable[tuple[int, ...]]
) -> Conversation[dict[tuple[int, ...], bytes]]:
    firsts = sorted({values[0] for values in wanted})
    if not firsts:
        return {}
    rows = yield Among(f"SELECT {', '.join(key)}, version FROM {table} WHERE {key[0]} {{among}}", firsts)
    return {tuple(name): bytes(version) for *name, version in rows}


def due_statements(told: Sequence[facts.Facts], now: datetime, marks: Marks = Marks.ALWAYS) -> list[Write]:
    """Return what lets the commits and comments be looked at that these facts are about.

    What is not recent, or no news by `marks`, begins nothing: it lets be looked at what is told already.
    """
    marking = [fact for fact in told if isinstance(fact, _TOLD)]
    return [*_commit_marks(marking, now, marks), *_comment_marks(marking, now, marks)]


def _commit_marks(told: Iterable[Told], now: datetime, marks: Marks) -> Iterator[Write]:
    """Yield the marks of commits in the order of their keys, in which every writer takes its locks."""
    begins: dict[tuple[int, str], bool] = {}
    changed: set[tuple[int, str]] = set()
    made_at: dict[tuple[int, str], datetime] = {}
    for fact in told:
        if fact.head_sha is None:
            continue
        key = (fact.repository_id, fact.head_sha)
        begins[key] = begins.get(key) or _begins(fact, now, marks)
        if isinstance(fact, facts.PullRequest):
            made_at[key] = min(fact.updated_at, now)
        else:
            changed.add(key)
    kinds = groupby(sorted(begins), key=lambda key: (begins[key], key in changed))
    for (is_begun, is_changed), keys in kinds:
        if is_begun:
            rows = [(*key, now if is_changed else made_at[key], now) for key in keys]
            yield Upsert(_begin(change=is_changed), rows)
        else:
            yield ForEach(_KEEP_TRUE_AND_CHANGE if is_changed else _KEEP_TRUE, [(now, *key) for key in keys])


def _comment_marks(told: Iterable[Told], now: datetime, marks: Marks) -> Iterator[Write]:
    pulls: dict[tuple[int, int], bool] = {}
    for fact in told:
        if isinstance(fact, facts.PullRequest):
            key = (fact.repository_id, fact.number)
            pulls[key] = pulls.get(key) or _begins(fact, now, marks)
    for begins, keys in groupby(sorted(pulls), key=pulls.__getitem__):
        yield ForEach(_MARK_COMMENT if begins else _KEEP_COMMENT_TRUE, [(now, *key) for key in keys])


async def mark_repository(tx: Transaction, repository_id: int, now: datetime) -> None:
    """Let all that is told of a repository's open pull requests be looked at: what is wanted told has changed."""
    await tx.execute(_MARK_OPEN_HEADS, now, now, repository_id)
    await tx.execute(_MARK_OPEN_COMMENTS, now, now, now, repository_id)


async def mark_installation(tx: Transaction, installation_id: int, now: datetime) -> None:
    """Do so for all that an installation sees: what may be told has changed."""
    for row in await tx.fetch(_WITH_OPEN_PULLS, installation_id):
        await mark_repository(tx, row["repository_id"], now)


def commits_of_runs(run_ids: Iterable[int], now: datetime) -> ForEach:
    """Return what lets the commits of runs be looked at, of which anything was ever to be told."""
    return ForEach(_MARK_COMMIT_OF_RUN, [(now, run_id) for run_id in run_ids])


def _begins(fact: Told, now: datetime, marks: Marks) -> bool:
    if marks is Marks.IF_TOLD:
        return False
    recent = now - NEWS_SPAN
    moments = [moment for moment in _MOMENTS[type(fact)](fact) if moment is not None]
    return not moments or any(moment >= recent for moment in moments)


# The last to come are the likeliest to be recent.
_MOMENTS = {
    facts.WorkflowRun: attrgetter("updated_at", "created_at"),
    facts.WorkflowJob: attrgetter("completed_at", "started_at", "created_at"),
    facts.PullRequest: attrgetter("updated_at", "created_at"),
}
