"""The rows of what is to be told: reading what is due, and saying when it is due next.

A row is put off only if nobody has marked it anew since it was read: its revision tells.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from bot.domain.facts import NO_TIME
from bot.domain.feedback.pacing import Plan, PostedCheck, PostedComment, Urgency
from bot.store.database import Database, Executor, to_moment

FIRST_DELAY, LONGEST_DELAY = timedelta(seconds=5), timedelta(hours=1)
MOST_TRIES = 12
"""Somebody may have to grant a permission first; after some hours it is no news any more."""
MOST_FAILURES = 40
"""So many, over more than a day, where GitHub itself fails: longer than it is ever away."""

_OF_INSTALLATION = (
    " FROM {table} AS due JOIN repository ON repository.repository_id = due.repository_id"
    " JOIN installation ON installation.installation_id = repository.installation_id"
    " WHERE repository.installation_id = ? AND due.due_at <= ?"
    # Where nothing can be written now, it is due until something can.
    " AND installation.state = 'active' AND repository.hidden_at IS NULL"
)
_TO_LOOK_AT = f"SELECT due.*{_OF_INSTALLATION} AND due.urgency = 0 ORDER BY due.due_at, due.id LIMIT ?"
_TO_WRITE = f"SELECT due.*{_OF_INSTALLATION} AND due.urgency > 0 ORDER BY due.urgency, due.due_at, due.id LIMIT 1"


class SummaryRow(Struct, frozen=True):
    """A row of check_summary."""

    id: int
    repository_id: int
    head_sha: str
    revision: int
    changed_at: datetime
    urgency: int
    due_at: datetime | None
    tries: int
    generation: int
    check_run_id: int | None
    creating_since: datetime | None
    posted: PostedCheck
    annotated: str | None
    told_classes: Mapping[str, str]
    """The classes of the failed jobs, by their ids, that it was last completed with."""

    @property
    def table(self) -> str:
        return "check_summary"


class CommentRow(Struct, frozen=True):
    """A row of failure_comment."""

    id: int
    repository_id: int
    number: int
    revision: int
    urgency: int
    due_at: datetime | None
    tries: int
    sequence: int
    comment_id: int | None
    creating_since: datetime | None
    posted: PostedComment
    differs_since: datetime | None
    queue_sha: str | None
    queue_head_sha: str | None
    written_at: datetime | None

    @property
    def table(self) -> str:
        return "failure_comment"

    @property
    def is_deleted(self) -> bool:
        """Whether there was one, and somebody has deleted it."""
        return self.posted.state != "none" and self.comment_id is None and self.creating_since is None


Row = SummaryRow | CommentRow


def summary_row(row: Mapping[str, Any]) -> SummaryRow:
    """Read a row of check_summary."""
    written_at = to_moment(row["written_at"])
    shows_failure, renew = bool(row["shows_failure"]), bool(row["renew_wanted"])
    posted = PostedCheck(row["status"], shows_failure, row["body_hash"], written_at, renew, row["conclusion"])
    names = ("id", "repository_id", "head_sha", "revision", "urgency", "tries", "generation", "check_run_id")
    return SummaryRow(
        **{name: row[name] for name in names},
        changed_at=to_moment(row["changed_at"]) or NO_TIME,
        due_at=to_moment(row["due_at"]),
        creating_since=to_moment(row["creating_since"]),
        posted=posted,
        annotated=row["annotated"],
        told_classes=json.loads(row["told_classes"] or "{}"),
    )


def comment_row(row: Mapping[str, Any]) -> CommentRow:
    """Read a row of failure_comment."""
    names = ("id", "repository_id", "number", "revision", "urgency", "tries", "sequence", "comment_id")
    return CommentRow(
        **{name: row[name] for name in (*names, "queue_sha", "queue_head_sha")},
        due_at=to_moment(row["due_at"]),
        creating_since=to_moment(row["creating_since"]),
        posted=PostedComment(row["state"], row["head_sha"], row["body_hash"]),
        differs_since=to_moment(row["differs_since"]),
        written_at=to_moment(row["written_at"]),
    )


async def summaries_to_look_at(reader: Executor, installation_id: int, now: datetime, limit: int) -> list[SummaryRow]:
    """Return the commits of an installation of which something was recorded."""
    rows = await reader.fetch(_TO_LOOK_AT.format(table="check_summary"), installation_id, now, limit)
    return [summary_row(row) for row in rows]


async def comments_to_look_at(reader: Executor, installation_id: int, now: datetime, limit: int) -> list[CommentRow]:
    """Return the comments of an installation that may have to change."""
    rows = await reader.fetch(_TO_LOOK_AT.format(table="failure_comment"), installation_id, now, limit)
    return [comment_row(row) for row in rows]


async def most_urgent(reader: Executor, installation_id: int, now: datetime) -> Row | None:
    """Return what is to be written first."""
    summaries = await reader.fetch(_TO_WRITE.format(table="check_summary"), installation_id, now)
    comments = await reader.fetch(_TO_WRITE.format(table="failure_comment"), installation_id, now)
    due: list[Row] = [*map(summary_row, summaries), *map(comment_row, comments)]
    return min(due, key=lambda row: (row.urgency, row.due_at), default=None)


async def find_summary(reader: Executor, repository_id: int, head_sha: str) -> SummaryRow | None:
    """Return the row of a commit."""
    sql = "SELECT * FROM check_summary WHERE repository_id = ? AND head_sha = ?"
    rows = await reader.fetch(sql, repository_id, head_sha)
    return summary_row(rows[0]) if rows else None


async def put_off(database: Database, row: Row, plan: Plan | None) -> None:
    """Let a row be due as planned, or, where nothing is to be written, not at all until it is marked again."""
    sql = f"UPDATE {row.table} SET due_at = ?, urgency = ? WHERE id = ? AND revision = ?"
    due_at, urgency = (None, Urgency.LOOK) if plan is None else (plan.at, plan.urgency)
    await database.execute(sql, due_at, int(urgency), row.id, row.revision)


async def put_off_after_failure(
    database: Database, row: Row, now: datetime, until: datetime | None = None, most: int = MOST_TRIES
) -> bool:
    """Try again later, at `until` where that is known; return whether it is given up instead, until marked again.

    It is given up after `most` tries.
    """
    given_up = row.tries + 1 >= most
    later = until or now + min(FIRST_DELAY * (1 << min(row.tries, 12)), LONGEST_DELAY)
    sql = f"UPDATE {row.table} SET due_at = ?, tries = tries + 1 WHERE id = ? AND revision = ?"
    await database.execute(sql, None if given_up else later, row.id, row.revision)
    return given_up


async def wait_for_limits(database: Database, row: Row, until: datetime) -> None:
    """Let a row wait until GitHub takes requests again, which is no failure of the row's."""
    sql = f"UPDATE {row.table} SET due_at = ? WHERE id = ? AND revision = ?"
    await database.execute(sql, until, row.id, row.revision)


async def mark_comments(database: Database, repository_id: int, numbers: Sequence[int], now: datetime) -> None:
    """Let comments that are there be looked at."""
    sql = (
        "UPDATE failure_comment SET revision = revision + 1, urgency = 0, due_at = ?"
        " WHERE repository_id = ? AND number = ?"
    )
    for number in sorted(numbers):
        await database.execute(sql, now, repository_id, number)


async def ensure_comments(database: Database, repository_id: int, numbers: Sequence[int], now: datetime) -> None:
    """Let comments be looked at, also where there is none yet."""
    sql = (
        "INSERT INTO failure_comment (repository_id, number, changed_at, due_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (repository_id, number) DO UPDATE SET revision = failure_comment.revision + 1, urgency = 0,"
        " due_at = excluded.due_at"
    )
    for number in sorted(numbers):
        await database.execute(sql, repository_id, number, now, now)


async def note_queue(database: Database, repository_id: int, number: int, sha: str, head_sha: str | None) -> None:
    """Keep, where there is a comment, which commit a merge queue tested last, and what the head was at first sight."""
    sql = (
        "UPDATE failure_comment SET queue_sha = ?, queue_head_sha = ? WHERE repository_id = ? AND number = ?"
        " AND (queue_sha IS NULL OR queue_sha <> ?)"
    )
    await database.execute(sql, sha, head_sha, repository_id, number, sha)
