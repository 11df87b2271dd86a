"""The logs of `logs`: the excerpt holds the line that matters, where the last lines seldom do."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench import excerpts
from bot.domain.excerpts import MOST_LINES, find_excerpt
from tests.conftest import ROOT

LOGS = Path(__file__).parent / "logs"
MARKED = [marked for path in sorted(LOGS.iterdir()) if (marked := excerpts.read(path))]
FOUND = [excerpts.Found(marked, find_excerpt(marked.log)) for marked in MARKED]


def test_every_log_is_marked_once() -> None:
    texts = [path.read_text() for path in LOGS.iterdir()]
    assert len(texts) == len(MARKED) >= 240
    assert all(text.count(excerpts.MARK) == 1 for text in texts)


def test_the_line_that_matters_is_found_in_95_of_100_logs() -> None:
    hits = [found.is_hit for found in FOUND]
    assert sum(hits) >= 0.95 * len(hits), [found.marked.name for found in FOUND if not found.is_hit]


def test_the_anchor_is_that_very_line_in_90_of_100_logs() -> None:
    anchors = [found.is_anchor for found in FOUND]
    assert sum(anchors) >= 0.9 * len(anchors), [found.marked.name for found in FOUND if not found.is_anchor]


def test_the_documentation_tells_how_many() -> None:
    told = (ROOT / "docs/features/excerpts.md").read_text()
    assert f"Of the project's own {len(FOUND)} logs" in told
    assert f"{sum(found.is_anchor for found in FOUND)} anchors are it" in told


def test_excerpts_are_short() -> None:
    assert all(1 <= len(found.lines) <= MOST_LINES for found in FOUND)


def test_the_logs_are_not_easy() -> None:
    """What matters stands far from the end in most of them, and errors of later steps come after it."""
    assert excerpts.hits_of(excerpts.last_lines, MARKED) < len(MARKED) / 4
    assert excerpts.hits_of(excerpts.lines_before_the_last_error, MARKED) < len(MARKED) * 2 / 3


def bench(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.excerpts", str(folder), *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)


def test_the_bench_tells_hits_lengths_baselines_and_misses(tmp_path: Path) -> None:
    (tmp_path / "found.log").write_text("start\n#=MATCH=# src/a.c:1:2: error: x\n##[error]Process completed\n")
    (tmp_path / "missed.txt").write_text(
        "#=MATCH=# all well\n" + "line\n" * 40 + "error: y\n##[error]Process completed\n"
    )
    (tmp_path / "unmarked.log").write_text("error: z\n")
    ran = bench(tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "1 of 2 excerpts hold the line that matters",
        "anchors: 1 of 2 are that very line",
        "5.0 lines on the average, 7 at most",
        "beside it:",
        "  1 of 2  the last 20 lines",
        "  1 of 2  20 lines before the last ##[error]",
        "missed: missed.txt",
        "  line 1: all well",
        "  found 42 (general): error: y",
    ]
    assert ran.stderr == "unmarked.log: no line starts with '#=MATCH=# ', so it is left out.\n"


def test_the_bench_lists_anchors_that_are_another_line(tmp_path: Path) -> None:
    (tmp_path / "anchor.log").write_text("start\n#=MATCH=# src/a.c:1:2: error: x\n##[error]Process completed\n")
    (tmp_path / "shown.log").write_text("#=MATCH=# error: y\nsrc/a.c:1:2: error: x\n##[error]Process completed\n")
    ran = bench(tmp_path, "--anchors")
    assert ran.stdout.splitlines()[:2] == [
        "2 of 2 excerpts hold the line that matters",
        "anchors: 1 of 2 are that very line",
    ]
    assert ran.stdout.splitlines()[-3:] == [
        "beside it: shown.log",
        "  line 1: error: y",
        "  found 2 (native): src/a.c:1:2: error: x",
    ]


@pytest.mark.parametrize(
    ("folder", "told"), [("empty", "holds no log with a line that starts with"), ("none", "is not a folder")]
)
def test_the_bench_says_what_is_missing(tmp_path: Path, folder: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    ran = bench(tmp_path / folder)
    assert ran.returncode == 1
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
