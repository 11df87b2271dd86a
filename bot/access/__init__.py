"""Who may read what."""

from bot.access.scopes import get_scope, list_teams
from bot.access.tokens import Caller, TokenLine, create_token, find_caller, list_tokens, revoke_token

__all__ = [
    "Caller",
    "TokenLine",
    "create_token",
    "find_caller",
    "get_scope",
    "list_teams",
    "list_tokens",
    "revoke_token",
]
