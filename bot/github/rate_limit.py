"""What is left of the hour's budget: https://docs.github.com/en/rest/rate-limit/rate-limit."""

from bot.github.answers import Answer, Json
from bot.github.client import Client


async def get_rate_limit(client: Client) -> Answer[Json]:
    """Return the limits of whoever asks; anybody may, and it is not counted.

    Raises NotFound on an Enterprise Server that has no limits, Unauthorized on one that lets nobody in unknown.
    """
    return await client.get("/rate_limit", {})
