"""What a backfill still has to ask GitHub, and how long that takes at the pace that GitHub allows."""

import math

from msgspec import Struct

from bot.domain.windows import AIM, PER_PAGE, pages_of

HOUR, MINUTE = 3600.0, 60.0


class Unlisted(Struct, frozen=True):
    """How many windows are still to be listed.

    `whole` ones span all that was asked for and `cut` ones a part of it, both untouched; of the `begun` ones some pages
    are listed; `pulls` are the lists of pull requests.
    """

    whole: int = 0
    cut: int = 0
    begun: int = 0
    pulls: int = 0


class Allowance(Struct, frozen=True):
    """How many requests may begin: `now` of them until the hour ends in `resets_in` seconds, then `an_hour`.

    Never more than `a_minute`, and none in the next `paused` seconds. Infinity where the server sets no limit.
    """

    now: float
    an_hour: float
    a_minute: float
    resets_in: float = HOUR
    paused: float = 0.0


def pages_left(left: Unlisted, runs_at_github: int, runs_listed: int) -> int:
    """Return about how many requests list the rest.

    GitHub has told of `runs_at_github` in the windows that were looked into, of which `runs_listed` are listed. What an
    untouched window holds nobody knows; one that was cut out of a larger one was cut to a certain size.
    """
    begun = max(left.begun, -(-(runs_at_github - runs_listed) // PER_PAGE)) if left.begun else 0
    return left.whole + left.cut * pages_of(AIM) + begun + left.pulls


def seconds_left(requests: int, allowed: Allowance) -> float:
    """Return about how many seconds so many requests take, if nobody else asks; infinity where none is allowed."""
    a_second = allowed.a_minute / MINUTE
    if requests <= allowed.now:
        return allowed.paused + requests / a_second
    an_hour = min(allowed.an_hour, HOUR * a_second)
    if an_hour < 1:
        return math.inf
    later = requests - allowed.now
    hours = math.ceil(later / an_hour) - 1
    this_hour = max(allowed.resets_in, allowed.paused + allowed.now / a_second)
    return this_hour + hours * HOUR + (later - hours * an_hour) / a_second
