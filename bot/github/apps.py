"""The App itself, its webhook and what was delivered: https://docs.github.com/en/rest/apps.

All but the conversion of a manifest take the App's own client.
"""

from bot.github.answers import Answer, Json
from bot.github.client import PER_PAGE, Client, listed

_DELIVERIES = "/app/hook/deliveries"


async def get_app(app: Client) -> Answer[Json]:
    """Return the App: its slug, owner, permissions and events."""
    return await app.get("/app", {})


async def get_hook_config(app: Client) -> Answer[Json]:
    """Return the webhook's `url` and `content_type`; GitHub shows its secret as asterisks."""
    return await app.get("/app/hook/config", {})


async def list_deliveries(app: Client, cursor: str | None = None, *, per_page: int = PER_PAGE) -> Answer[list[Json]]:
    """Return one page of deliveries of the last days, newest first, every attempt of each an entry of its own.

    The next page's `cursor` stands in `links["next"]`.
    """
    path = _DELIVERIES + "{?per_page,cursor}"
    return (await app.get(path, {"per_page": str(per_page), "cursor": cursor})).map(lambda data: listed(data, None))


async def redeliver(app: Client, delivery_id: int) -> Answer[Json]:
    """Have a delivery sent once more, under the same GUID. Raises NotFound when it is over three days old."""
    return await app.post(_DELIVERIES + "/{delivery_id}/attempts", {"delivery_id": str(delivery_id)})


async def convert_manifest(anonymous: Client, code: str) -> Answer[Json]:
    """Exchange the `code` of a manifest, good for an hour, for the App: id, slug, pem, webhook_secret and more.

    Takes no credentials, and `code` is one itself. Raises NotFound when it was used already or is too old.
    https://docs.github.com/en/rest/apps/apps#create-a-github-app-from-a-manifest
    """
    return await anonymous.post("/app-manifests/{code}/conversions", {"code": code}, secret=True)
