"""Who may read what."""

from bot.access.audit import Actor
from bot.access.callers import Caller
from bot.access.repository_settings import Change, change_settings
from bot.access.scopes import get_scope, list_teams
from bot.access.tokens import TokenLine, TooManyTokens, create_token, list_tokens, revoke_own_token, revoke_token

__all__ = [
    "Actor",
    "Caller",
    "Change",
    "TokenLine",
    "TooManyTokens",
    "change_settings",
    "create_token",
    "get_scope",
    "list_teams",
    "list_tokens",
    "revoke_own_token",
    "revoke_token",
]
