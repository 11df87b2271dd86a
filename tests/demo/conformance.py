"""Holds bodies to GitHub's published schemas, through the models that githubkit generates from them."""

import json
from typing import Any

from githubkit import webhooks
from pydantic import BaseModel

from bot.demo.github.webhooks.deliveries import Delivery

# The schemas of an App's permissions lag behind GitHub's own examples.
_TOLERATED = ".permissions."


def faults_of(delivery: Delivery) -> list[str]:
    """Return the fields that the schema does not know; raise pydantic's error where it is not met."""
    return [path for path in _unknown(webhooks.parse(delivery.event, delivery.body)) if _TOLERATED not in path]


def told(delivery: Delivery) -> dict[str, Any]:
    """Return the body as plain data."""
    body: dict[str, Any] = json.loads(delivery.body)
    return body


def _unknown(value: object, path: str = "") -> list[str]:
    if isinstance(value, list):
        return [fault for item in value for fault in _unknown(item, f"{path}[]")]
    if not isinstance(value, BaseModel):
        return []
    known = type(value).model_fields
    found = [f"{path}.{name}" for name in value.model_extra or {}]
    return found + [
        fault
        for name in value.model_fields_set
        if name in known
        for fault in _unknown(getattr(value, name), f"{path}.{name}")
    ]
