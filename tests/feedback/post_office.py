"""What becomes of deliveries on their way: handed over as they are, twice, out of order, or not at all."""

import heapq
import itertools
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum

from bot.demo.github import SimulatedGitHub
from bot.demo.github.webhooks.deliveries import Delivery

# So many seconds late at the most, in rounds, as what arrives together is handled together.
ROUNDS = tuple(range(0, 21, 4))
LOST = 0.35
RUNS = frozenset({"workflow_run", "workflow_job"})
# Of a pull request's other events, such as that a draft became ready, no run tells later.
TOLD_BY_RUNS = frozenset({"opened", "synchronize"})


class Mode(StrEnum):
    """How the post goes; what of it goes wrong is drawn from a seed."""

    STRAIGHT = "straight"
    DOUBLED = "doubled"
    SHUFFLED = "shuffled"
    LOST = "lost"


class PostOffice:
    """Takes what the simulated GitHub has made, and has it ready when its time has come."""

    def __init__(self, github: SimulatedGitHub, mode: Mode, seed: int) -> None:
        self.lost: list[Delivery] = []
        self._github = github
        self._mode = mode
        self._seed = seed
        self._made = 0
        self._numbers = itertools.count()
        self._waiting: list[tuple[datetime, float, int, Delivery]] = []

    def collect(self) -> None:
        """Take what was made since the last time."""
        made = self._github.webhooks.log.counts["made"]
        fresh = made - self._made
        self._made = made
        for delivery in self._github.deliveries[-fresh:] if fresh else ():
            chance = random.Random(f"post {self._seed} {delivery.number}")
            for late in self._lateness(delivery, chance):
                due, place = delivery.made_at + timedelta(seconds=late), chance.random() if late else 0.0
                heapq.heappush(self._waiting, (due, place, next(self._numbers), delivery))

    def due(self, now: datetime) -> Iterator[Delivery]:
        """Yield what is to be handed over by now."""
        while self._waiting and self._waiting[0][0] <= now:
            yield heapq.heappop(self._waiting)[3]

    @property
    def next_at(self) -> datetime | None:
        return self._waiting[0][0] if self._waiting else None

    def _lateness(self, delivery: Delivery, chance: random.Random) -> list[int]:
        """Return how many seconds late it arrives, each time that it does."""
        if self._mode is Mode.DOUBLED:
            return [0, chance.choice(ROUNDS)]
        if self._mode is Mode.SHUFFLED and delivery.event in {*RUNS, "pull_request"}:
            return [chance.choice(ROUNDS)]
        if self._mode is Mode.LOST and _may_be_lost(delivery) and chance.random() < LOST:
            self.lost.append(delivery)
            return []
        return [0]


def _may_be_lost(delivery: Delivery) -> bool:
    return delivery.event in RUNS or (delivery.event == "pull_request" and delivery.action in TOLD_BY_RUNS)
