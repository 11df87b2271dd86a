"""What a bench hands back: figures for a file, and tables for people that show the same."""

import os
import platform
import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

PACKAGES = ("aiohttp", "aiosqlite", "asyncpg", "msgspec", "tortoise-orm", "uvloop")


class Wanted(NamedTuple):
    """What a ratio is to be at least, and what is aimed at."""

    least: float
    aim: float | None = None


class Shown(NamedTuple):
    """A table of texts, as it is on the screen and in docs/performance.md."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]

    def show(self, console: Console) -> None:
        table = Table(title=self.title, title_justify="left", title_style="bold")
        for number, name in enumerate(self.head):
            table.add_column(name, justify="right" if number else "left", no_wrap=not number)
        for row in self.rows:
            table.add_row(*row)
        console.print(table)


@dataclass
class Report:
    """The figures of one bench by name, each with its unit in the name, and the tables that show them."""

    figures: dict[str, Any] = field(default_factory=dict)
    tables: list[Shown] = field(default_factory=list)

    def add_table(self, title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.tables.append(Shown(title, head, rows))

    def add_ratios(self, bench: str, ratios: Mapping[str, float], wanted: Mapping[str, Wanted]) -> None:
        """Add a table of ratios by name, with what is wanted of some of them beside it."""
        rows = [
            (name.replace("_", " "), f"{value:.2f}", *_wanted_of(wanted.get(name))) for name, value in ratios.items()
        ]
        self.add_table(f"{bench}: ratios of medians", ("runledger's", "ratio", "wanted", "aim"), rows)

    def show(self, console: Console) -> None:
        for table in self.tables:
            table.show(console)


def _wanted_of(wanted: Wanted | None) -> tuple[str, str]:
    if wanted is None:
        return "", ""
    return f"≥ {wanted.least:g}", "" if wanted.aim is None else f"{wanted.aim:g}"


class Rounds:
    """Measurements of several sides, taken in turn; what is asked of them is the median over the rounds."""

    def __init__(self) -> None:
        self._taken: dict[str, dict[str, list[float]]] = {}

    def add(self, side: str, measured: Mapping[str, float]) -> None:
        """Note what one round of one side gave."""
        for name, value in measured.items():
            self._taken.setdefault(side, {}).setdefault(name, []).append(value)

    @property
    def sides(self) -> list[str]:
        return list(self._taken)

    def median(self, side: str, name: str) -> float:
        """Return the median of one measurement."""
        return statistics.median(self._taken[side][name])

    def total(self, side: str, name: str) -> float:
        """Return the sum over the rounds, for what must not happen even once."""
        return sum(self._taken[side][name])

    def totals(self, side: str) -> dict[str, float]:
        """Return these sums of all that was measured of a side."""
        return {name: sum(values) for name, values in self._taken[side].items()}

    def spread(self, side: str, name: str) -> float:
        """Return how far the rounds lie apart, as a share of their median: how noisy the machine was."""
        values = self._taken[side][name]
        return (max(values) - min(values)) / (statistics.median(values) or 1.0)

    def ratio(self, side: str, other: str, name: str) -> float:
        """Return the ratio of two sides' medians."""
        return self.median(side, name) / self.median(other, name)

    def medians(self) -> dict[str, dict[str, float]]:
        """Return every median, by side and name."""
        return {side: {name: self.median(side, name) for name in taken} for side, taken in self._taken.items()}


def machine() -> dict[str, Any]:
    """Return what figures depend on: the machine, its load from elsewhere, and versions."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
