"""Bodies that GitHub need not send twice: asking whether one has changed costs nothing of the hourly budget.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
"""

from cachetools import LRUCache
from multidict import CIMultiDict

from bot.github.answers import Reply
from bot.github.auth import Secret

MOST_BYTES = 32 * 1024 * 1024
# Pages of long lists hardly ever come again unchanged, and would push out what does.
LARGEST_BODY = 512 * 1024
_Key = tuple[str, str]


class ETags:
    """The replies kept, by the credential they were given to: an ETag means nothing with any other."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._kept: LRUCache[_Key, Reply] = LRUCache(most_bytes, getsizeof=lambda reply: len(reply.body) + 2048)

    def find(self, secret: Secret | None, url: str) -> Reply | None:
        return self._kept.get(_key(secret, url))

    def keep(self, secret: Secret | None, url: str, reply: Reply) -> None:
        """Keep a success that has an ETag and is not too large."""
        if reply.status == 200 and "ETag" in reply.headers and len(reply.body) <= LARGEST_BODY:
            self._kept[_key(secret, url)] = reply


def refreshed(kept: Reply, unchanged: Reply) -> Reply:
    """Return what was kept as if it had been sent again with the 304 `unchanged`, whose Date is the newer one."""
    headers = CIMultiDict(kept.headers)
    headers.update(unchanged.headers)
    return Reply(kept.status, headers, kept.body)


def _key(secret: Secret | None, url: str) -> _Key:
    return ("" if secret is None else secret.fingerprint, url)
