"""What `app.py` puts into the application, and what a request carries, each under a typed key."""

from typing import TYPE_CHECKING

from aiohttp import web

from bot.clock import Clock
from bot.store.registration import Configuration

if TYPE_CHECKING:
    from bot.inbox import Inbox
    from bot.web.webhook import Receiver

CONFIGURATION = web.AppKey("CONFIGURATION", Configuration)
CLOCK = web.AppKey("CLOCK", Clock)
INBOX: web.AppKey["Inbox | None"] = web.AppKey("INBOX")
RECEIVER: web.AppKey["Receiver"] = web.AppKey("RECEIVER")
OPENAPI = web.AppKey("OPENAPI", bytes)

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
