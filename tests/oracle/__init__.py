"""The oracle of the order property: a small model of GitHub's own runs, attempts and jobs.

It imports nothing of the package under test, so that the two can only agree by both being right.
`histories()` draws what happened on GitHub, `arrivals(history)` draws what came of it and in what order,
and `history.truth` is what must stand in the end, whatever the order was.
"""

from tests.oracle.faults import ordered
from tests.oracle.shapes import Arrival, Change, Delivery, History, Key, RestSnapshot, Truth, key_of, subject
from tests.oracle.strategies import arrival_times, arrivals, histories

__all__ = [
    "Arrival",
    "Change",
    "Delivery",
    "History",
    "Key",
    "RestSnapshot",
    "Truth",
    "arrival_times",
    "arrivals",
    "histories",
    "key_of",
    "ordered",
    "subject",
]
