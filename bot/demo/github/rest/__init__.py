"""The REST side of the simulated GitHub: as strict as GitHub, on the shared clock.

`routes` has the one table of operations, each resource its own file of handlers that take an `Ask` and return an
`Answer`; `service` takes a request through outage, identity, limits, faults and permission to its handler; `ledger`
remembers. Only `server` knows that there is HTTP.
"""

from bot.demo.github.rest.faults import Cut, Late, RateLimited, RestFaultRates, ScriptedRestFaults, ServerError, Slow
from bot.demo.github.rest.ledger import Call, Violation
from bot.demo.github.rest.limits import Limits

__all__ = [
    "Call",
    "Cut",
    "Late",
    "Limits",
    "RateLimited",
    "RestFaultRates",
    "ScriptedRestFaults",
    "ServerError",
    "Slow",
    "Violation",
]
