"""How often the pull requests of the suite's scenes are written to, on a clock that leaps.

Beside it stands what a bot would write that edits its check and its comment at every delivery about the pull request.
"""

import tempfile
from collections import Counter
from pathlib import Path

from msgspec import Struct
from tortoise.backends.base.executor import EXECUTOR_CACHE

from bot.store import connected
from bot.store.migrate import migrate
from tests.feedback.harness import Harness, Scene, harnessed
from tests.feedback.scenes import SCENES


class Written(Struct):
    """The writes to the pull requests of one scene; `unchanged` are those that changed nothing to be seen."""

    scene: str
    pulls: int
    check_creates: int
    check_edits: int
    comment_creates: int
    comment_edits: int
    unchanged: int
    untuned: int

    @property
    def sum(self) -> int:
        """How many writes there were in all."""
        return self.check_creates + self.check_edits + self.comment_creates + self.comment_edits


def names() -> tuple[str, ...]:
    """Return the names of all scenes."""
    return tuple(map(_name, SCENES))


def _name(scene: Scene) -> str:
    return str(getattr(scene, "__name__", scene))


async def of_scene(name: str) -> Written:
    """Play a scene on an empty SQLite database, with the post in order, and count. KeyError for no scene's name."""
    scene = {_name(each): each for each in SCENES}[name]
    EXECUTOR_CACHE.clear()
    with tempfile.TemporaryDirectory(prefix="bench-writes-") as folder:
        url = f"sqlite://{Path(folder) / 'writes.sqlite3'}"
        await migrate(url)
        async with connected(url) as database, harnessed(database) as house:
            await house.play(scene)
            return _written(name, house)


def _written(name: str, house: Harness) -> Written:
    each = house.writes()
    counts = sum(each.values(), Counter[str]())
    return Written(
        scene=name,
        pulls=len(each),
        check_creates=counts["check create"],
        check_edits=counts["check edit"],
        comment_creates=counts["comment create"],
        comment_edits=counts["comment edit"],
        unchanged=len(house.github.rest.journal.unchanged()),
        untuned=counts["untuned"],
    )


def total(scenes: list[Written]) -> Written:
    """Return the sums over scenes."""
    fields = ("pulls", "check_creates", "check_edits", "comment_creates", "comment_edits", "unchanged", "untuned")
    return Written("all", *(sum(getattr(each, name) for each in scenes) for name in fields))
