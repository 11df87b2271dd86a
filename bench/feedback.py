"""How soon a failure is told on its pull request, in which order writes queue up, and how many there are.

The real service, on either database, beside a simulated GitHub in this process, on the real clock: under an even load
on many installations, and with one installation where many pull requests fail at once. Beside what is measured stands
what is aimed at, and the least that a second between writes allows. In the end the scenes of the suite are played, on
a clock that leaps, to count the writes to each pull request.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import structs

from bench import at_once, under_load, writes
from bench.at_once import Queue
from bench.databases import POSTGRESQL, SQLITE, Databases, postgres
from bench.deployments import NAMES, deployed
from bench.report import Report
from bench.town import Hasty
from bench.under_load import Load, of_writes
from bench.writes import Written

KINDS = (SQLITE, POSTGRESQL)
CHECK_AIM, COMMENT_AIM = 5.0, 75.0
Figures = dict[str, Any]

LATENCIES = ("seconds from a failure's delivery", "failures", "p50", "p95", "max", "aim", "never told")
RATES = (
    "",
    "events /s",
    "deliveries /s",
    "handed over, p95 s",
    "not taken",
    "requests /s",
    "writes /s",
    "our CPU",
    "logs refused",
)
CLASSES = ("writes", *(urgency.name.lower().replace("_", " ") for urgency in of_writes()), "unchanged", "violations")
QUEUES = ("until every", "seconds", "least", "ratio", "writes by then", "out of order", "s a write", "our CPU")
SCENES = ("scene", "pulls", "check", "edits", "comment", "edits", "unchanged", "writes", "untuned", "ratio")


@dataclass(frozen=True)
class Size:
    """How much goes on, on which databases there is a queue, and which scenes are played."""

    load: Load = field(default_factory=Load)
    queue: Queue = field(default_factory=Queue)
    queues: Sequence[str] = KINDS
    scenes: Sequence[str] = field(default_factory=writes.names)


SMALL = Size(
    Load(installations=2, events=50.0, seconds=2.0, ramp=1.0, patience=0.0, warm_up=0.0, pace=Hasty),
    Queue(pulls=2, others=1, patience=0.0, warm_up=0.0),
    (SQLITE,),
    ("all_green",),
)


async def run(size: Size) -> Report:
    """Measure each deployment under load and with its queue, and count the writes of the scenes."""
    load: dict[str, Figures] = {}
    queue: dict[str, Figures] = {}
    with TemporaryDirectory(prefix="bench-feedback-") as folder, postgres() as server:
        databases = Databases(Path(folder), server)
        for kind in KINDS:
            async with deployed(kind, databases) as service:
                load[NAMES[kind]] = await under_load.measure(service, size.load)
        for kind in size.queues:
            async with deployed(kind, databases) as service:
                queue[NAMES[kind]] = await at_once.measure(service, size.queue)
    scenes = [await writes.of_scene(name) for name in size.scenes]
    return _report(size, load, queue, scenes)


def _report(size: Size, load: dict[str, Figures], queue: dict[str, Figures], scenes: list[Written]) -> Report:
    counted = {each.scene: structs.asdict(each) for each in [*scenes, writes.total(scenes)]}
    report = Report({"under_load": load, "at_once": queue, "writes": counted})
    rows = [row for side, figures in load.items() for row in _latency_rows(side, figures)]
    report.add_table(_about_load(size.load), LATENCIES, rows)
    report.add_table("feedback: meanwhile, every second", RATES, [_rates_row(*each) for each in load.items()])
    both = [*_named("under load", load), *_named("at once", queue)]
    report.add_table("feedback: what was written for what", CLASSES, [_classes_row(*each) for each in both])
    title = (
        f"feedback: {size.queue.pulls} pull requests of one installation fail at once, {size.queue.others} others go on"
    )
    report.add_table(title, QUEUES, [row for side, figures in queue.items() for row in _queue_rows(side, figures)])
    rows = [_scene_row(each) for each in [*scenes, writes.total(scenes)]]
    report.add_table("feedback: writes to the pull requests of the scenes", SCENES, rows)
    return report


def _about_load(load: Load) -> str:
    return (
        f"feedback: {load.installations} installations, {load.events:g} events a second for {load.seconds:g} s,"
        " every download of half of the logs failing"
    )


def _named(part: str, sides: dict[str, Figures]) -> list[tuple[str, Figures]]:
    return [(f"{side}, {part}", figures) for side, figures in sides.items()]


def _latency_rows(side: str, figures: Figures) -> list[tuple[str, ...]]:
    shown = (("check", CHECK_AIM, "p95"), ("comment", COMMENT_AIM, "max"))
    return [
        (
            f"{side}: to the {what}",
            f"{figures['failures']:,}",
            *(_seconds(figures[f"{what}_seconds"].get(name)) for name in ("p50", "p95", "max")),
            f"{name} ≤ {aim:g}",
            f"{figures[f'{what}s_missing']:,}",
        )
        for what, aim, name in shown
    ]


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _rates_row(side: str, figures: Figures) -> tuple[str, ...]:
    return (
        side,
        f"{figures['events_per_second']:.1f}",
        f"{figures['deliveries_per_second']:.1f}",
        _seconds(figures["handed_over_seconds"].get("p95")),
        f"{figures['deliveries_not_taken']:,}",
        f"{figures['requests_per_second']:.1f}",
        f"{figures['writes_per_second']:.1f}",
        f"{figures['processor_share']:.0%}",
        f"{figures['logs_refused']:,} of {figures['logs_asked_for']:,}",
    )


def _classes_row(side: str, figures: Figures) -> tuple[str, ...]:
    counts = [f"{count:,}" for count in figures["writes"].values()]
    return side, *counts, f"{figures['unchanged']:,}", f"{sum(figures['violations'].values()):,}"


def _queue_rows(side: str, figures: Figures) -> list[tuple[str, ...]]:
    whole = (
        f"{figures['out_of_order']} of {figures['writes_since']}",
        _seconds(figures["seconds_a_write"]),
        f"{figures['processor_share']:.0%}",
    )
    rows = [
        (
            f"{side}: {name}",
            f"{each['seconds']:.1f}",
            f"{each['least_seconds']:.0f}",
            f"{each['seconds'] / each['least_seconds']:.2f}",
            f"{each['writes']:,}",
        )
        for name, each in figures["milestones"].items()
    ]
    return [(*row, *(whole if row is rows[-1] else ("", "", ""))) for row in rows]


def _scene_row(each: Written) -> tuple[str, ...]:
    counts = (each.pulls, each.check_creates, each.check_edits, each.comment_creates, each.comment_edits)
    ratio = f"{each.sum / each.untuned:.2f}" if each.untuned else "-"
    return each.scene, *map(str, (*counts, each.unchanged, each.sum, each.untuned)), ratio
