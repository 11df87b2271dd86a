"""What processes share of an installation: the right to write, which one at a time may have, and GitHub's silences."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from bot.clock import Clock

APP, NOBODY, PERSON = 0, -1, -2
"""They stand in for an installation's id where the App asks as itself, somebody without credentials, or a person."""


class WriteRights(Protocol):
    """Whoever writes twice at once, or too fast from two places, makes duplicates and meets secondary limits.

    Whoever goes on asking while GitHub wants silence, from whichever process, may be banned.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """

    def hold(self, installation_id: int) -> AbstractAsyncContextManager[float | None]:
        """Wait until nobody else has the right, and have it until the context is left.

        Gives the epoch second at which the last holder, in any process, left it; None when that is unknown. It is
        held for one request at a time: not much longer than the request's timeout, waits for limits lie outside.
        """

    async def ask_for_silence(self, installation_id: int, until: float) -> None:
        """Let every process know that GitHub wants to hear nothing until then, an epoch second; the latest counts."""

    async def silent_until(self, installation_id: int) -> float | None:
        """Return the epoch second until which GitHub wants to hear nothing, as any process was told, or None.

        It may be over.
        """


class InProcessRights:
    """Enough for a single process; several of them need a database between them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._left: dict[int, float] = {}
        self._silent_until: dict[int, float] = {}

    @asynccontextmanager
    async def hold(self, installation_id: int) -> AsyncIterator[float | None]:
        async with self._locks[installation_id]:
            try:
                yield self._left.get(installation_id)
            finally:
                self._left[installation_id] = self._clock.time()

    async def ask_for_silence(self, installation_id: int, until: float) -> None:
        self._silent_until[installation_id] = max(self._silent_until.get(installation_id, until), until)

    async def silent_until(self, installation_id: int) -> float | None:
        return self._silent_until.get(installation_id)
