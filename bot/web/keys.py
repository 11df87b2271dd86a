"""What `app.py` puts into the application, and what a request carries, each under a typed key."""

from typing import TYPE_CHECKING

from aiohttp import web

from bot.clock import Clock
from bot.store.registration import Configuration

if TYPE_CHECKING:
    from bot.access.people import People
    from bot.inbox import Inbox
    from bot.setup.watch import Watch
    from bot.web.limits import Limits, Standing
    from bot.web.webhook import Receiver

CONFIGURATION = web.AppKey("CONFIGURATION", Configuration)
CLOCK = web.AppKey("CLOCK", Clock)
INBOX: web.AppKey["Inbox | None"] = web.AppKey("INBOX")
PEOPLE: web.AppKey["People"] = web.AppKey("PEOPLE")
WATCH: web.AppKey["Watch"] = web.AppKey("WATCH")
RECEIVER: web.AppKey["Receiver"] = web.AppKey("RECEIVER")
LIMITS: web.AppKey["Limits"] = web.AppKey("LIMITS")
OPENAPI = web.AppKey("OPENAPI", bytes)

# Whether the answer is read by a person, so that an error must be a page too.
IS_PAGE = web.RequestKey("IS_PAGE", bool)
STANDING: web.RequestKey["Standing"] = web.RequestKey("STANDING")
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
# Why a delivery was not taken in, where that was found out before there was a request.
REFUSAL = web.RequestKey("REFUSAL", Exception)
