"""Who may read what."""

from bot.access.audit import Actor
from bot.access.callers import Caller
from bot.access.scopes import get_scope, list_teams
from bot.access.tokens import TokenLine, create_token, find_caller, list_tokens, revoke_token

__all__ = [
    "Actor",
    "Caller",
    "TokenLine",
    "create_token",
    "find_caller",
    "get_scope",
    "list_teams",
    "list_tokens",
    "revoke_token",
]
