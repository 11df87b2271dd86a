"""The App itself and its hook.

https://docs.github.com/en/rest/apps/apps, https://docs.github.com/en/rest/apps/webhooks
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import orjson

from bot.demo.github.payloads import accounts
from bot.demo.github.payloads.values import Json
from bot.demo.github.rest.answers import Answer, Failure, not_found
from bot.demo.github.rest.paging import asked_page, cursor_links

if TYPE_CHECKING:
    from bot.demo.github.rest.asking import Ask
    from bot.demo.github.webhooks.deliveries import Attempt

_KEPT_FOR = timedelta(days=3)


def get_authenticated(ask: Ask) -> Answer:
    """Answer with the App."""
    every = ask.world.installations.values()
    living = [one for one in every if one.app is ask.app and one.deleted_at is None]
    return Answer(200, {**accounts.app(ask.addresses, ask.app), "installations_count": len(living)})


def get_webhook_config(ask: Ask) -> Answer:
    """Answer with where the hook leads; its secret is not shown."""
    url = ask.app.hook.url
    config = {"content_type": "json", "insecure_ssl": "0", "secret": "********"}
    return Answer(200, {**config, "url": url} if url else config)


def list_webhook_deliveries(ask: Ask) -> Answer:
    """Answer with attempts at deliveries, newest first; `cursor` goes on after the last one of a page."""
    size, before = asked_page(ask).size, _cursor(ask.query.get("cursor"))
    kept = [one for one in _attempts(ask) if before is None or one.id < before]
    if (status := ask.query.get("status")) is not None:
        kept = [one for one in kept if one.succeeded == (status == "success")]
    following = f"v1_{kept[size - 1].id}" if len(kept) > size else None
    return Answer(200, [_item(one) for one in kept[:size]], cursor_links(ask, following))


def get_webhook_delivery(ask: Ask) -> Answer:
    """Answer with one attempt at a delivery, headers and body included."""
    attempt = _find(ask)
    delivery = attempt.delivery
    shown = {
        **_item(attempt),
        "url": ask.app.hook.url or "",
        "request": {"headers": dict(delivery.headers), "payload": orjson.loads(delivery.body)},
        "response": {"headers": {}, "payload": None},
    }
    return Answer(200, shown)


def redeliver_webhook_delivery(ask: Ask) -> Answer:
    """Send a delivery again; the answer comes before the receiver's."""
    delivery = _find(ask).delivery
    try:
        ask.github.redeliver(delivery.guid)
    except KeyError:
        raise not_found() from None
    return Answer(202, {})


def _attempts(ask: Ask) -> list[Attempt]:
    since = ask.at - _KEPT_FOR
    # Their ids grow in the order in which they were made.
    every = reversed(ask.github.webhooks.log.attempts)
    return [one for one in every if one.delivered_at >= since and one.delivery.hook is ask.app.hook]


def _find(ask: Ask) -> Attempt:
    number = ask.number("delivery_id")
    for attempt in _attempts(ask):
        if attempt.id == number:
            return attempt
    raise not_found()


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    number = text.removeprefix("v1_")
    if not number.isdecimal():
        raise Failure(422, "Invalid cursor")
    return int(number)


def _item(attempt: Attempt) -> Json:
    delivery = attempt.delivery
    return {
        "id": attempt.id,
        "guid": delivery.guid,
        "delivered_at": attempt.delivered_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "redelivery": attempt.redelivery,
        "duration": attempt.duration,
        "status": attempt.status,
        "status_code": attempt.status_code,
        "event": delivery.event,
        "action": delivery.action,
        "installation_id": delivery.installation_id,
        "repository_id": delivery.repository_id,
        "throttled_at": None,
    }
