"""Browsers that were sent to GitHub and are expected back, each once, with the `state` that they left with.

https://www.rfc-editor.org/rfc/rfc6749#section-10.12 and, for `verifier`, https://www.rfc-editor.org/rfc/rfc7636
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from bot.access.secrets import hash_of, new_secret
from bot.store import models
from bot.store.database import current, database_errors
from bot.store.sealing import Sealer

Purpose = Literal["register", "sign_in"]
LASTS = timedelta(minutes=30)


class State(Struct, frozen=True):
    """What is known of a browser that has come back: the details it left with, and its code verifier."""

    details: dict[str, Any]
    verifier: str | None


async def new_state(
    purpose: Purpose,
    browser: str,
    now: datetime,
    *,
    details: dict[str, Any] | None = None,
    verifier: str | None = None,
    sealer: Sealer | None = None,
) -> str:
    """Return the `state` for a browser that leaves, which `browser`, a secret in its cookie, tells from others.

    A `verifier` is kept by the `sealer`. Raises DatabaseUnavailable.
    """
    state = new_secret()
    sealed = None if verifier is None or sealer is None else sealer.seal(verifier, _place(state))
    with database_errors():
        await models.PendingState.create(
            hash=hash_of(state),
            purpose=purpose,
            browser=hash_of(browser),
            verifier=sealed,
            details=details or {},
            created_at=now,
            expires_at=now + LASTS,
            using_db=current().client,
        )
    return state


async def take_state(
    purpose: Purpose, state: str, browser: str, now: datetime, sealer: Sealer | None = None
) -> State | None:
    """Return what this browser left with, this once; None for a state that is unknown, used, old, or another's.

    Raises CannotOpen, DatabaseUnavailable.
    """
    mine = models.PendingState.filter(hash=hash_of(state), purpose=purpose, browser=hash_of(browser))
    with database_errors():
        async with current().transaction() as tx:
            kept = await mine.using_db(tx.client).first()
            # Of two that come at once, the one whose deletion counts is the first.
            taken = kept is not None and await models.PendingState.filter(id=kept.id).using_db(tx.client).delete()
    if kept is None or not taken or kept.expires_at <= now:
        return None
    opened = None if kept.verifier is None or sealer is None else sealer.open(bytes(kept.verifier), _place(state))
    return State(kept.details, opened)


async def forget_states(now: datetime) -> int:
    """Delete the states of browsers that never came back, and return how many that were."""
    with database_errors():
        return await current().execute("DELETE FROM pending_state WHERE expires_at <= ?", now)


def _place(state: str) -> str:
    return f"pending_state.verifier {hash_of(state)}"
