"""Buttons pressed on GitHub become rows, each once, which whoever carries them out finds due."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain import facts
from bot.store.writes import Statement

# Later than that nobody expects anything of it any more, as after an outage.
LASTS = timedelta(hours=1)

_WANT = (
    "INSERT INTO action (guid, kind, repository_id, head_sha, app_id, sender_id, sender_login, wanted_at, until,"
    " due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (guid) DO NOTHING"
)


def action_statements(told: Sequence[facts.Facts], now: datetime) -> list[Statement]:
    """Return what keeps the actions that are wanted, due at once; a delivery that came before changes nothing."""
    wanted = sorted((fact for fact in told if isinstance(fact, facts.ActionWanted)), key=lambda each: each.guid)
    return [Statement(_WANT, [_row(each, now) for each in wanted])]


def _row(wanted: facts.ActionWanted, now: datetime) -> tuple[object, ...]:
    return (
        wanted.guid,
        wanted.kind,
        wanted.repository_id,
        wanted.head_sha,
        wanted.app_id,
        wanted.sender_id,
        wanted.sender_login,
        wanted.wanted_at,
        wanted.wanted_at + LASTS,
        now,
    )
