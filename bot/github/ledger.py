"""How much GitHub lets one installation ask, kept as plain accounts: no waiting, and no time but what is passed in.

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api and
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import math
from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

from bot.github.answers import Quota

# GitHub's servers differ by some seconds about when a window ends.
SAME_WINDOW = 60


class Lane(StrEnum):
    """Who waits together. Live reads and writes go first; backfill takes what is left, up to its share."""

    WRITE = "write"
    LIVE = "live"
    BACKFILL = "backfill"


@dataclass(frozen=True, slots=True)
class Ask:
    """What a request costs: GitHub counts a GET as one point and anything that writes as five."""

    lane: Lane = Lane.LIVE
    points: int = 1
    creates: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """The limits. GitHub's are 900 points and 80 creations a minute, 500 creations an hour, 100 requests at once.

    Ours are lower: a request does not arrive just when it is sent, and another process may be asking too.
    """

    limit: int = 5_000
    backfill_share: float = 0.5
    live_reserve: float = 0.1
    points: int = 800
    points_of_reads: int = 600
    points_of_backfill: int = 400
    creations_a_minute: int = 70
    creations_an_hour: int = 450
    at_once: int = 10
    backfill_at_once: int = 6
    write_spacing: float = 1.0
    first_pause: float = 60.0
    longest_pause: float = 3_600.0

    def backfill_of(self, limit: float) -> int:
        """Return how many of an hour's requests are for backfill.

        One is kept back for another process, which hears only from the answer to its first that we have taken the rest.
        """
        return math.floor(limit * self.backfill_share) - 1


class Sliding:
    """At most `most` in any stretch of `seconds`."""

    def __init__(self, seconds: float, most: int) -> None:
        self._seconds = seconds
        self._most = most
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0

    def free_at(self, cost: int, now: float) -> float:
        """Return the first moment, now or later, when `cost` more fits."""
        self._forget(now)
        over = self._sum + cost - self._most
        for at, amount in self._spent:
            if over <= 0:
                return now
            over -= amount
            if over <= 0:
                return at + self._seconds
        return now

    def spend(self, cost: int, now: float) -> None:
        self._spent.append((now, cost))
        self._sum += cost

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] + self._seconds <= now:
            self._sum -= self._spent.popleft()[1]


class Pause:
    """The time in which GitHub wants to hear nothing at all."""

    def __init__(self, figures: Figures) -> None:
        self.until = -math.inf
        self._figures = figures
        self._refused_at = -math.inf
        self._strikes = 0

    def refuse(self, wait: float | None, started: float, now: float) -> None:
        """Pause for `wait` seconds, or, when GitHub does not say, for a time that doubles with each new refusal."""
        if started >= self._refused_at:
            # What was on its way when the first refusal came is part of the same trouble.
            self._strikes += 1
            self._refused_at = now
        doubled = self._figures.first_pause * 2.0 ** min(self._strikes - 1, 20)
        seconds = min(doubled, self._figures.longest_pause) if wait is None else max(wait, 1.0)
        self.until = max(self.until, now + seconds)

    def last(self, until: float) -> None:
        """Pause until then at least, as another process was told."""
        self.until = max(self.until, until)

    def relent(self, started: float) -> None:
        """Take note that a request sent after the pause was answered."""
        if started >= self.until:
            self._strikes = 0


class Hour:
    """What remains of GitHub's hourly budget, by its own headers, and how much of it backfill took.

    GitHub begins a window with the first request in it. Answers overtake one another, so within one window the
    smallest remainder counts; whatever is under way has not been told of yet, and is taken off. What is used and not by
    us is used by another process, or by this one before a restart: it may have been a backfill, and is taken for one.
    While it is `in_doubt` what others used, backfill sends one request at a time.
    """

    def __init__(self, figures: Figures) -> None:
        self.limit: float = figures.limit
        self._figures = figures
        self._told: float | None = None
        self._reset = 0
        self._resets_at = math.inf
        self._known = False
        self._backfilled = self._counted = 0
        self._others: float = 0
        self._under_way: Counter[Lane] = Counter()
        self.in_doubt = True

    def resets_at(self, now: float) -> float | None:
        """Return when the present window ends; None when none has begun."""
        self._turn(now)
        return self._resets_at if math.isfinite(self._resets_at) else None

    def remaining(self, now: float) -> float:
        self._turn(now)
        told = self.limit if self._told is None else self._told
        return max(told - self._under_way.total(), 0)

    def backfill_left(self, now: float) -> float:
        """Return how many requests backfill may still begin in this window."""
        remaining = self.remaining(now)
        if math.isinf(self.limit):
            return math.inf
        share = self._figures.backfill_of(self.limit) - self._backfilled - self._others
        unreserved = math.floor(remaining - self.limit * self._figures.live_reserve)
        return max(min(share, unreserved), 0)

    def free_at(self, lane: Lane, now: float) -> float:
        """Return when a request of `lane` may begin: now, or at the reset."""
        left = self.backfill_left(now) if lane is Lane.BACKFILL else self.remaining(now)
        return now if left >= 1 else max(self._resets_at, now)

    def start(self, lane: Lane, now: float) -> None:
        self._turn(now)
        if not math.isfinite(self._resets_at):
            self._resets_at = now + 3600.0
        self._under_way[lane] += 1
        if lane is Lane.BACKFILL:
            self._backfilled += 1

    def end(self, lane: Lane, *, counted: bool) -> None:
        self._under_way[lane] -= 1
        self._counted += counted
        if lane is Lane.BACKFILL and not counted:
            self._backfilled = max(self._backfilled - 1, 0)

    def hear(self, quota: Quota, now: float) -> None:
        """Take in what an answer's headers say."""
        self._turn(now)
        if self._known and quota.reset > self._reset + SAME_WINDOW:
            self._begin()
        elif self._known and (self._told is None or quota.reset < self._reset - SAME_WINDOW):
            # It was overtaken: its window is over.
            return
        self.limit, self._reset, self._resets_at, self._known = quota.limit, quota.reset, quota.resets_at, True
        self._told = quota.remaining if self._told is None else min(quota.remaining, self._told)
        # Of ours under way GitHub may have counted each; while there is but one, this is exact.
        ours = self._counted + self._under_way.total()
        self._others = max(self._others, quota.limit - self._told - ours)
        self.in_doubt = False

    def hear_of_no_limit(self) -> None:
        """Take in that a success said nothing of a limit, as on an Enterprise Server that has none."""
        if not self._known:
            self.limit, self.in_doubt = math.inf, False

    def _begin(self) -> None:
        if self._told is not None:
            # GitHub's window turned a moment before ours did.
            self._count_anew()

    def _turn(self, now: float) -> None:
        if now >= self._resets_at:
            self._resets_at = math.inf
            self._count_anew()

    def _count_anew(self) -> None:
        self._told = None
        self._backfilled = self._under_way[Lane.BACKFILL]
        self._counted, self._others = 0, 0


class Ledger:
    """All accounts of one installation together: they say when a request may begin, and are told how it went."""

    def __init__(self, figures: Figures) -> None:
        self.hour = Hour(figures)
        self.pause = Pause(figures)
        self.written_at = -math.inf
        self._figures = figures
        self._under_way: Counter[Lane] = Counter()
        self._points = Sliding(60, figures.points)
        self._read_points = Sliding(60, figures.points_of_reads)
        self._backfill_points = Sliding(60, figures.points_of_backfill)
        self._creations = (Sliding(60, figures.creations_a_minute), Sliding(3600, figures.creations_an_hour))

    def permitted_at(self, ask: Ask, now: float) -> float:
        """Return when `ask` may begin; infinity while it waits for another request to end."""
        if self._is_full(ask.lane):
            return math.inf
        moments = [now, self.pause.until, self.hour.free_at(ask.lane, now)]
        moments += [account.free_at(cost, now) for account, cost in self._costs(ask)]
        if ask.lane is Lane.WRITE:
            moments.append(self.written_at + self._figures.write_spacing)
        return max(moments)

    def start(self, ask: Ask, now: float) -> None:
        self._under_way[ask.lane] += 1
        self.hour.start(ask.lane, now)
        for account, cost in self._costs(ask):
            account.spend(cost, now)

    def end(self, ask: Ask, now: float, *, counted: bool = True) -> None:
        """Take note that a request is over; GitHub does not count every one against the hour, such as a 304."""
        self._under_way[ask.lane] -= 1
        self.hour.end(ask.lane, counted=counted)
        if ask.lane is Lane.WRITE:
            self.written_at = now

    def _is_full(self, lane: Lane) -> bool:
        if lane is Lane.WRITE:
            return self._under_way[lane] > 0
        most = 1 if self.hour.in_doubt else self._figures.backfill_at_once
        if lane is Lane.BACKFILL and self._under_way[lane] >= most:
            return True
        return self._under_way.total() - self._under_way[Lane.WRITE] >= self._figures.at_once

    def _costs(self, ask: Ask) -> list[tuple[Sliding, int]]:
        costs = [(self._points, ask.points)]
        if ask.lane is not Lane.WRITE:
            costs.append((self._read_points, ask.points))
        if ask.lane is Lane.BACKFILL:
            costs.append((self._backfill_points, ask.points))
        if ask.creates:
            costs += [(account, 1) for account in self._creations]
        return costs
