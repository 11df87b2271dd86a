"""How much of the hour is left.

https://docs.github.com/en/rest/rate-limit/rate-limit
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.demo.github.rest.answers import Answer

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask

_SEARCHES_A_MINUTE = 30


def get(ask: Ask) -> Answer:
    """Answer with what is left, which costs nothing."""
    window = ask.github.rest.rates.window(ask.caller.key, ask.at)
    core = {
        "limit": window.limit,
        "used": min(window.used, window.limit),
        "remaining": window.remaining,
        "reset": window.resets_at,
    }
    search = {"limit": _SEARCHES_A_MINUTE, "used": 0, "remaining": _SEARCHES_A_MINUTE, "reset": window.resets_at}
    return Answer(200, {"resources": {"core": core, "search": search}, "rate": core})
