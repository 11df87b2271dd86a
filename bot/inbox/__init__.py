"""The inbox: a delivery is durable before GitHub hears of it, and is handled exactly once, or ends dead with a reason.

`append` takes deliveries in, `batch` is what one commit of them makes durable, `journal` how what they tell is kept
until `behind` records it; `rows` are their rows, which `lease` hands to workers and `keeper` looks after.

What a worker takes stays locked by its own transaction, which holds the facts too: a worker that dies gives its rows
back at once, and no other can have handled them in between.
"""

from bot.inbox.append import Inbox
from bot.inbox.batch import NewDelivery, Outcome, Settle
from bot.inbox.behind import record_left_behind
from bot.inbox.bodies import LARGE
from bot.inbox.handler import Posted
from bot.inbox.journal import Told
from bot.inbox.keeper import (
    DeliveryLine,
    InboxStatistics,
    get_statistics,
    list_deliveries,
    prune,
    replay,
    replay_dead,
)
from bot.inbox.lease import MAX_TRIES, LeasedDelivery, lease, mark_dead, mark_handled, mark_ignored, put_back, put_off

__all__ = [
    "LARGE",
    "MAX_TRIES",
    "DeliveryLine",
    "Inbox",
    "InboxStatistics",
    "LeasedDelivery",
    "NewDelivery",
    "Outcome",
    "Posted",
    "Settle",
    "Told",
    "get_statistics",
    "lease",
    "list_deliveries",
    "mark_dead",
    "mark_handled",
    "mark_ignored",
    "prune",
    "put_back",
    "put_off",
    "record_left_behind",
    "replay",
    "replay_dead",
]
