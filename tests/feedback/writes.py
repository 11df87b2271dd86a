"""Prints how often each pull request of the scenes was written to: `python -m tests.feedback.writes`.

Beside it stands what a bot would write that creates its check and its comment and edits both at every delivery.
"""

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tortoise.backends.base.executor import EXECUTOR_CACHE

from bot.store import connected
from bot.store.migrate import migrate
from tests.feedback.harness import Scene, harnessed
from tests.feedback.scenes import SCENES

COLUMNS = ("check create", "check edit", "comment create", "comment edit", "untuned")


def main() -> None:
    chosen = [scene for scene in SCENES if not sys.argv[1:] or name_of(scene) in sys.argv[1:]]
    total: Counter[str] = Counter()
    sys.stdout.write(f"{'scene':24} pull {' '.join(f'{column:>14}' for column in COLUMNS)}\n")
    for scene in chosen:
        for number, counts in sorted(asyncio.run(written(scene)).items()):
            sys.stdout.write(line(name_of(scene), number, counts))
            total.update(counts)
    sys.stdout.write(line("all", "", total))


async def written(scene: Scene) -> dict[int, Counter[str]]:
    """Return the writes to each pull request of a scene."""
    EXECUTOR_CACHE.clear()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite://{Path(folder) / 'writes.sqlite3'}"
        await migrate(url)
        async with connected(url) as database, harnessed(database) as house:
            await house.play(scene)
            return house.writes()


def name_of(scene: Scene) -> str:
    return str(getattr(scene, "__name__", scene))


def line(scene: str, number: object, counts: Counter[str]) -> str:
    return f"{scene:24} {number:>4} {' '.join(f'{counts[column]:>14}' for column in COLUMNS)}\n"


if __name__ == "__main__":
    main()
