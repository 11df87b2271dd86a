"""Whether GitHub signed a body.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
"""

import asyncio
import hmac
import re
from collections.abc import Sequence

_SIGNATURE = re.compile(r"sha256=([0-9a-f]{64})", re.ASCII)
# Below this a digest takes less than half a millisecond, and a thread would cost more than it spares.
_LARGE = 1024 * 1024


def find_digest(headers: Sequence[str]) -> bytes | None:
    """Return the digest in the `X-Hub-Signature-256` headers, or None unless there is exactly one, well-formed."""
    match = _SIGNATURE.fullmatch(headers[0]) if len(headers) == 1 else None
    return bytes.fromhex(match[1]) if match else None


def verifies(body: bytes, digest: bytes, secrets: Sequence[bytes]) -> bool:
    """Tell whether `digest` is the HMAC-SHA-256 of `body` under one of the secrets, an empty one never counting.

    Every secret is tried in the same time, so that nothing can be learnt from how long a refusal takes.
    """
    matches = [hmac.compare_digest(hmac.digest(secret, body, "sha256"), digest) for secret in secrets if secret]
    return any(matches)


async def verifies_off_loop(body: bytes, digest: bytes, secrets: Sequence[bytes]) -> bool:
    """Like `verifies`, but a large body is hashed in a thread, where other requests needn't wait for it."""
    if len(body) > _LARGE:
        return await asyncio.to_thread(verifies, body, digest, secrets)
    return verifies(body, digest, secrets)
