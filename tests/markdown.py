"""Reading pages: their sections, tables, code and links."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
ALL_MARKDOWN = sorted({*PAGES, *(ROOT / "bot").rglob("*.md"), *(ROOT / "tests").rglob("*.md")})
Rows = list[list[str]]


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def sections(text: str, level: str = "###") -> dict[str, str]:
    """Return what stands under each heading of `level`, up to the next heading of any but a lower one."""
    found = re.findall(rf"^{level} (.+?)\n(.*?)(?=^#{{2,{len(level)}}} |\Z)", text, re.MULTILINE | re.DOTALL)
    return {heading.strip("`"): body for heading, body in found}


def table(text: str) -> Rows:
    """Return the body of the first table, with code marks taken off cells that are nothing but code."""
    lines = re.search(r"^\|.+\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)
    split = [re.split(r"(?<!\\)\|", line)[1:-1] for line in (lines[1] if lines else "").splitlines()]
    return [[re.sub(r"^`([^`]+)`$", r"\1", cell.strip()) for cell in row] for row in split]


def first_column(text: str) -> set[str]:
    return {row[0] for row in table(text)}


def code_blocks(text: str, language: str) -> list[str]:
    fences = re.findall(r"^( *)```(\w*)\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [
        re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, tongue, block in fences if tongue == language
    ]


def shell_lines(text: str) -> list[str]:
    return [line for block in code_blocks(text, "sh") for line in block.replace("\\\n", " ").splitlines() if line]


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
