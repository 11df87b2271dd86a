"""Things that go wrong again and again, between GitHub and us or the other way round."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Trouble:
    """Faults that are met in turn: by the last `lasting` of every `each` deliveries or requests.

    Among `window` deliveries the order is shuffled.
    """

    faults: tuple[Any, ...]
    each: int = 1
    lasting: int = 1
    window: int = 1


@dataclass
class Meeting:
    """The plan that lets a trouble be met."""

    trouble: Trouble
    seen: int = 0
    met: list[Any] = field(default_factory=list)
    window: int = 1

    def __post_init__(self) -> None:
        self.window = self.trouble.window

    def faults_for(self, _: object, *, redelivery: bool = False) -> Sequence[Any]:
        if redelivery or not self.trouble.faults:
            return ()
        self.seen += 1
        if self.seen % self.trouble.each < self.trouble.each - self.trouble.lasting:
            return ()
        self.met.append(self.trouble.faults[len(self.met) % len(self.trouble.faults)])
        return self.met[-1:]
