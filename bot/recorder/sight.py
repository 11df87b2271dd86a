"""What becomes of what people see when GitHub tells that it may have changed: it is asked for before it is shown again.

The row of a person is always written before the rows of what they see, so that two writers wait for each other there.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.domain import facts
from bot.store.writes import Statement

FORGET_SIGHT = (
    "DELETE FROM person_repository WHERE user_id = ?",
    "DELETE FROM person_installation WHERE user_id = ?",
)
FORGET_GRANT = (
    "UPDATE person SET access_token = NULL, access_expires_at = NULL, refresh_token = NULL, refresh_expires_at = NULL,"
    " granted_at = NULL, looked_at = NULL, revision = revision + 1 WHERE user_id = ?"
)
# Who is being asked for the first time has no rows yet, and must not be shown what GitHub said before the change.
_ASK_AGAIN = (
    "UPDATE person SET looked_at = NULL, revision = revision + 1 WHERE access_token IS NOT NULL AND (looked_at IS NULL"
    " OR user_id IN (SELECT user_id FROM {table} WHERE {column} = ?))"
)
_OF_INSTALLATION = _ASK_AGAIN.format(table="person_installation", column="installation_id")
_OF_REPOSITORY = _ASK_AGAIN.format(table="person_repository", column="repository_id")
_OF_ANYTHING = "UPDATE person SET looked_at = NULL, revision = revision + 1 WHERE access_token IS NOT NULL"
# What was authorized anew since is not what the event is about, however late it comes.
_NOT_SINCE = " AND granted_at <= ?"
_UNLESS_SINCE = (
    " AND NOT EXISTS (SELECT 1 FROM person WHERE person.user_id = {table}.user_id AND access_token IS NOT NULL)"
)
_END_SESSIONS = "UPDATE session SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL AND created_at <= ?"

_NOTE_TOKENS = (
    "INSERT INTO audit_entry (at, team_id, actor_kind, actor_id, actor, action, subject, details)"
    " SELECT ?, token.team_id, 'person', person.user_id, person.login, 'token.revoked', token.name,"
    """ '{"why": "authorization withdrawn at GitHub"}' FROM api_token AS token"""
    " JOIN person ON person.user_id = token.user_id"
    " WHERE token.user_id = ? AND token.revoked_at IS NULL AND token.created_at <= ? ORDER BY token.id"
)
_END_TOKENS = "UPDATE api_token SET revoked_at = ? WHERE user_id = ? AND revoked_at IS NULL AND created_at <= ?"


def sight_statements(told: Sequence[facts.Facts], now: datetime) -> list[Statement]:
    """Return what these facts do to what people see: nothing for those that come with every run."""
    changes = {fact for fact in told if isinstance(fact, facts.SightChange)}
    revoked = [fact for fact in told if isinstance(fact, facts.AuthorizationRevoked)]
    return [*_ask_again(changes), *_withdraw(revoked, now), *_revoke_tokens(revoked, now)] if changes or revoked else []


def _ask_again(changes: set[facts.SightChange]) -> list[Statement]:
    if facts.SightChange() in changes:
        return [Statement(_OF_ANYTHING, [()])]
    by_installation = sorted({each.installation_id for each in changes if each.installation_id is not None})
    by_repository = sorted({each.repository_id for each in changes if each.repository_id is not None})
    return [
        Statement(_OF_INSTALLATION, [(each,) for each in by_installation]),
        Statement(_OF_REPOSITORY, [(each,) for each in by_repository]),
    ]


def _withdraw(revoked: Sequence[facts.AuthorizationRevoked], now: datetime) -> list[Statement]:
    ordered = sorted(revoked, key=lambda each: each.user_id)
    return [
        Statement(FORGET_GRANT + _NOT_SINCE, [(each.user_id, each.revoked_at) for each in ordered]),
        *(
            Statement(sql + _UNLESS_SINCE.format(table=sql.split()[2]), [(each.user_id,) for each in ordered])
            for sql in FORGET_SIGHT
        ),
        Statement(_END_SESSIONS, [(now, each.user_id, each.revoked_at) for each in ordered]),
    ]


def _revoke_tokens(revoked: Sequence[facts.AuthorizationRevoked], now: datetime) -> list[Statement]:
    # Signing in again must not bring back what somebody meant to end.
    ordered = sorted(revoked, key=lambda each: each.user_id)
    return [
        Statement(_NOTE_TOKENS, [(now, each.user_id, each.revoked_at) for each in ordered]),
        Statement(_END_TOKENS, [(now, each.user_id, each.revoked_at) for each in ordered]),
    ]


def withdrawn(user_id: int, now: datetime) -> list[Statement]:
    """Return what forgets a person's grant, what they see, and their sessions, whenever they were begun."""
    return _withdraw([facts.AuthorizationRevoked(user_id, now)], now)
