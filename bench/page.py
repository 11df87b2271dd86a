"""`python -m bench.page FILE…`: puts the tables of `python -m bench --json FILE` into docs/performance.md.

The page has a pair of marks for each benchmark, and what stands between them is made, not typed. Of several files that
hold the same benchmark the last one counts.
"""

import json
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.report import Shown
from bench.servers import ROOT

PAGE = ROOT / "docs" / "performance.md"
NOT_TAKEN = "_Not taken yet._"
_MARKS = re.compile(r"(<!-- bench (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
Told = Mapping[str, Any]


def names(page: str) -> list[str]:
    """Return the benchmarks that a page has a place for."""
    return [found[2] for found in _MARKS.finditer(page)]


def filled(page: str, files: Sequence[Told]) -> str:
    """Return a page with the tables of these files in their places; other places stay as they are."""
    taken = {name: (told["machine"], tables) for told in files for name, tables in told["tables"].items()}

    def fill(found: re.Match[str]) -> str:
        if found[2] not in taken:
            return found[0]
        machine, tables = taken[found[2]]
        parts = [_machine(machine), *(_markdown(Shown(*each)) for each in tables)]
        return "\n".join([found[1], *(f"{part}\n" for part in parts), found[3]])

    return _MARKS.sub(fill, page)


def _machine(machine: Told) -> str:
    rest = {name: value for name, value in machine.items() if name != "taken_at"}
    at = datetime.fromisoformat(machine["taken_at"])
    told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in rest.items())
    return _wrapped(f"Taken on {at.day} {at:%B %Y}: {told}.")


def _markdown(table: Shown) -> str:
    title = table.title[:1].upper() + table.title[1:]
    if not table.rows:
        return _wrapped(f"**{title}**")
    head = [table.head, [":--", *("--:" for _ in table.head[1:])]]
    return "\n".join([_wrapped(f"**{title}**"), "", *map(_line, [*head, *table.rows])])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |".replace("  ", " ")


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    files = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    PAGE.write_text(filled(PAGE.read_text(), files))


if __name__ == "__main__":
    main()
