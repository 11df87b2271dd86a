"""What `app.py` puts into the application, and what a request carries, each under a typed key."""

from typing import TYPE_CHECKING

from aiohttp import web

from bot.clock import Clock
from bot.store.database import Database
from bot.store.registration import Configuration

if TYPE_CHECKING:
    from bot.access import Caller
    from bot.access.people import People
    from bot.inbox import Inbox
    from bot.setup.watch import Watch
    from bot.web.limits import Limits, Standing
    from bot.web.ready import Asked, Known, Ready
    from bot.web.webhook import Receiver

CONFIGURATION = web.AppKey("CONFIGURATION", Configuration)
CLOCK = web.AppKey("CLOCK", Clock)
DATABASE = web.AppKey("DATABASE", Database)
INBOX: web.AppKey["Inbox | None"] = web.AppKey("INBOX")
PEOPLE: web.AppKey["People"] = web.AppKey("PEOPLE")
WATCH: web.AppKey["Watch"] = web.AppKey("WATCH")
RECEIVER: web.AppKey["Receiver"] = web.AppKey("RECEIVER")
LIMITS: web.AppKey["Limits"] = web.AppKey("LIMITS")
READY: web.AppKey["Ready"] = web.AppKey("READY")
OPENAPI = web.AppKey("OPENAPI", bytes)

# Whether the answer is read by a person, so that an error must be a page too.
IS_PAGE = web.RequestKey("IS_PAGE", bool)
STANDING: web.RequestKey["Standing"] = web.RequestKey("STANDING")
REQUEST_ID = web.RequestKey("REQUEST_ID", str)
# The question that was asked where its answer may be kept ready, and whom it is answered for.
ASKED: web.RequestKey["Asked"] = web.RequestKey("ASKED")
# Who asks and what they may read, where that was found out for a request before and can't have changed.
KNOWN: web.RequestKey["Known"] = web.RequestKey("KNOWN")
ANSWERED_FOR: web.RequestKey["Caller"] = web.RequestKey("ANSWERED_FOR")
# Why a delivery was not taken in, where that was found out before there was a request.
REFUSAL = web.RequestKey("REFUSAL", Exception)
