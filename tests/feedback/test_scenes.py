"""Each scene ends with the same words on GitHub, those of its reviewed snapshot, however the post went.

`REWRITE_SNAPSHOTS=1` writes what was found in place of comparing it.
"""

import os
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from bot.store import connected
from bot.store.database import Database
from tests.databases import quick
from tests.feedback.harness import Harness, Scene, harnessed
from tests.feedback.post_office import Mode
from tests.feedback.scenes import SCENES
from tests.feedback.scenes.one_commit import matrix_of_500
from tests.feedback.shown import difference

SNAPSHOTS = Path(__file__).parent / "snapshots"
REWRITES = bool(os.environ.get("REWRITE_SNAPSHOTS"))
ASKEW = [mode for mode in Mode if mode is not Mode.STRAIGHT]
# Dear, so that only the long runs play it on PostgreSQL too, and with the post going otherwise.
LIGHT = [scene for scene in SCENES if scene is not matrix_of_500]


def name(value: object) -> str:
    return str(getattr(value, "__name__", value))


def snapshot(scene: Scene) -> Path:
    return SNAPSHOTS / f"{name(scene)}.md"


async def played(database: Database, scene: Scene, mode: Mode, workers: int) -> str:
    """Play a scene and hold what was written to what may be; return what people see."""
    async with harnessed(database, mode=mode, workers=workers) as house:
        await house.play(scene)
        assert await house.differences() == []
        hold_writes(house)
        return house.shown()


def hold_writes(house: Harness) -> None:
    """Fail where something was written that changed nothing, or where two comments tell of failures."""
    github = house.github
    assert github.rest.journal.unchanged() == []
    for pull in github.world.pull_requests.values():
        ours = [one.body for one in github.comments.of(pull) if one.app is github.app]
        assert not any("state=red" in body for body in ours[:-1])


@pytest.mark.parametrize("scene", LIGHT, ids=name)
async def test_a_scene_ends_with_the_words_that_were_reviewed(migrated_sqlite: str, scene: Scene) -> None:
    async with connected(quick(migrated_sqlite)) as database:
        await hold_words(database, scene)


@pytest.mark.parametrize("scene", LIGHT[::3], ids=name)
async def test_so_it_does_on_postgresql(migrated_postgres: str, scene: Scene) -> None:
    async with connected(migrated_postgres) as database:
        await hold_words(database, scene)


async def test_a_large_scene_ends_with_the_words_that_were_reviewed(migrated_sqlite: str) -> None:
    async with connected(quick(migrated_sqlite)) as database:
        await hold_words(database, matrix_of_500)


async def hold_words(database: Database, scene: Scene) -> None:
    found = await played(database, scene, Mode.STRAIGHT, 1)
    if REWRITES:
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot(scene).write_text(found)
    assert difference(snapshot(scene).read_text(), found) == ""


def askew() -> list[ParameterSet]:
    """Return every scene with every way that the post may go wrong; each way is played always, with some scenes."""
    always = {(scene, ASKEW[place % len(ASKEW)]) for place, scene in enumerate(LIGHT[::2])}
    return [
        pytest.param(
            scene, mode, id=f"{name(scene)}-{mode}", marks=[] if (scene, mode) in always else [pytest.mark.deep]
        )
        for scene in LIGHT
        for mode in ASKEW
    ]


@pytest.mark.parametrize(("scene", "mode"), askew())
async def test_it_ends_so_however_the_post_goes(migrated_sqlite: str, scene: Scene, mode: Mode) -> None:
    async with connected(quick(migrated_sqlite)) as database:
        found = await played(database, scene, mode, 2)
    assert difference(snapshot(scene).read_text(), found) == ""


@pytest.mark.deep
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("scene", SCENES, ids=name)
async def test_it_ends_so_among_three_workers(migrated_postgres: str, scene: Scene, mode: Mode) -> None:
    async with connected(migrated_postgres) as database:
        found = await played(database, scene, mode, 3)
    assert difference(snapshot(scene).read_text(), found) == ""


def test_no_snapshot_is_of_a_scene_that_is_gone() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.md")} == {name(scene) for scene in SCENES}
