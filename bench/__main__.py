"""`python -m bench [--only NAME] [--json FILE]`: runs the benchmarks and prints medians and ratios.

The one of memory takes half an hour and is left out unless it is named; `--minutes` makes it shorter or longer.

To add one, write `bench/<name>.py` with a `Size`, its `SMALL` and `run(size) -> Report`, and name it in BENCHES.
"""

import argparse
import json
import os
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from rich.console import Console

from bench import backfill, feedback, growth, ingest, ingest_postgres, lists, memory, slow_disk, together
from bench.report import Report, machine
from bench.servers import cores


class Bench(NamedTuple):
    """One line of the registry: `run` is called with `full`, or with `small` where only running it matters."""

    run: Callable[[Any], Coroutine[Any, Any, Report]]
    full: object
    small: object
    only_if_named: bool = False


BENCHES = {
    "backfill": Bench(backfill.run, backfill.Size(), backfill.SMALL),
    "feedback": Bench(feedback.run, feedback.Size(), feedback.SMALL),
    "ingest": Bench(ingest.run, ingest.Size(), ingest.SMALL),
    "slow_disk": Bench(slow_disk.run, slow_disk.Size(), slow_disk.SMALL),
    "ingest_postgres": Bench(ingest_postgres.run, ingest_postgres.Size(), ingest_postgres.SMALL),
    "lists": Bench(lists.run, lists.Size(), lists.SMALL),
    "together": Bench(together.run, together.Size(), together.SMALL),
    "growth": Bench(growth.run, growth.Size(), growth.SMALL),
    "memory": Bench(memory.run, memory.Size(), memory.SMALL, only_if_named=True),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(BENCHES), help="run this one alone, or these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    minutes = f"how long the one of memory goes on, {memory.LEAST_MINUTES} at least"
    parser.add_argument("--minutes", type=int, help=minutes)
    parser.add_argument("--small", action="store_true", help="see that it runs; the figures mean nothing")
    arguments = parser.parse_args()
    if arguments.minutes is not None and arguments.minutes < memory.LEAST_MINUTES:
        parser.error(f"--minutes: {memory.LEAST_MINUTES} at least")
    return arguments


def _size(bench: Bench, arguments: argparse.Namespace) -> object:
    size = bench.small if arguments.small else bench.full
    return replace(size, minutes=arguments.minutes) if arguments.minutes and isinstance(size, memory.Size) else size


def _run(names: Iterable[str], arguments: argparse.Namespace, console: Console, told: dict[str, Any]) -> None:
    for name in names:
        report = uvloop.run(BENCHES[name].run(_size(BENCHES[name], arguments)))
        report.show(console)
        told["benches"][name], told["tables"][name] = report.figures, report.tables
        if arguments.json:
            # Written anew each time, so that a run that is cut short has not been for nothing.
            arguments.json.write_text(json.dumps(told, indent=2) + "\n")


def main() -> None:
    arguments = parse_arguments()
    told: dict[str, Any] = {"machine": machine(), "benches": {}, "tables": {}}
    console = Console(width=None if os.isatty(1) else 150)
    console.print(", ".join(f"{name} {value}" for name, value in told["machine"].items()), highlight=False)
    os.sched_setaffinity(0, {cores()[1]})
    names = [name for name, bench in BENCHES.items() if not bench.only_if_named]
    _run(arguments.only or names, arguments, console, told)


if __name__ == "__main__":
    main()
