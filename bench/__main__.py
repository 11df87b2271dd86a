"""`python -m bench [--only NAME] [--json FILE]`: runs the benchmarks and prints medians and ratios.

To add one, write `bench/<name>.py` with a `Size`, its `SMALL` and `run(size) -> Report`, and name it in BENCHES.
"""

import argparse
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from rich.console import Console

from bench import backfill, feedback, ingest, lists
from bench.report import Report, machine
from bench.servers import cores


class Bench(NamedTuple):
    """One line of the registry: `run` is called with `full`, or with `small` where only running it matters."""

    run: Callable[[Any], Coroutine[Any, Any, Report]]
    full: object
    small: object


BENCHES = {
    "backfill": Bench(backfill.run, backfill.Size(), backfill.SMALL),
    "feedback": Bench(feedback.run, feedback.Size(), feedback.SMALL),
    "ingest": Bench(ingest.run, ingest.Size(), ingest.SMALL),
    "lists": Bench(lists.run, lists.Size(), lists.SMALL),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(BENCHES), help="run this one alone, or these")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")
    parser.add_argument("--small", action="store_true", help="see that it runs; the figures mean nothing")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    told: dict[str, Any] = {"machine": machine(), "benches": {}}
    console = Console(width=None if os.isatty(1) else 150)
    console.print(", ".join(f"{name} {value}" for name, value in told["machine"].items()), highlight=False)
    os.sched_setaffinity(0, {cores()[1]})
    for name in arguments.only or BENCHES:
        bench = BENCHES[name]
        report = uvloop.run(bench.run(bench.small if arguments.small else bench.full))
        report.show(console)
        told["benches"][name] = report.figures
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
