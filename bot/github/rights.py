"""The right to write for an installation, which one process at a time may have."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from bot.clock import Clock

APP, NOBODY = 0, -1
"""They stand in for an installation's id where the App writes as itself, or somebody without credentials does."""


class WriteRights(Protocol):
    """Whoever writes twice at once, or too fast from two places, makes duplicates and meets secondary limits.

    https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
    """

    def hold(self, installation_id: int) -> AbstractAsyncContextManager[float | None]:
        """Wait until nobody else has the right, and have it until the context is left.

        Gives the epoch second at which the last holder, in any process, left it; None when that is unknown. It is
        held for one request at a time: not much longer than the request's timeout, waits for limits lie outside.
        """


class InProcessRights:
    """Enough for a single process; several of them need a database between them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._locks: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._left: dict[int, float] = {}

    @asynccontextmanager
    async def hold(self, installation_id: int) -> AsyncIterator[float | None]:
        async with self._locks[installation_id]:
            try:
                yield self._left.get(installation_id)
            finally:
                self._left[installation_id] = self._clock.time()
