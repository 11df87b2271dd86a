"""Markdown that holds only our structure, whatever the texts in it are.

Texts from outside stand in code spans and fenced blocks alone, where GitHub turns nothing into a mention, a link, a
reference or an image: https://github.github.com/gfm/#code-spans, https://github.github.com/gfm/#fenced-code-blocks.
Whoever writes text beside them writes only words of our own.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote, urlsplit

from bot.domain.masking import mask

NAME = 80
"""So many characters of a name are shown."""
ANCHOR = 160
LINE = 240
"""So many characters of a line in a fenced block, or of one that stands for it."""
MOST_LINES = 20
_LOOKED_AT = 1_000
"""So much of a text is masked, and only then cut: what is left of a secret might not look like one."""
_LONGEST_URL = 500
ELLIPSIS = "…"
_NOTHING = "(nameless)"

# What ends a line somewhere, in Python, in JavaScript or on a terminal.
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029\u00a0 ]+")
# Joiners belong into words and emoji, and are not missed.
_JOINERS = re.compile("[\u200c\u200d]")
# What is not seen, or lets a text be read otherwise than it is written: controls, what changes the direction, what has
# no width, fillers, tags, and halves of characters.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u2800\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_RUN_OF_BACKTICKS = re.compile("`+")
# GitHub's parser, cmark-gfm, knows no code span between more than 80 backticks.
_TOO_LONG_A_RUN = re.compile("(`{10})`+")
# What the runner puts before a line so that it is shown in colour.
_COMMAND = re.compile(r"^\s*(?:##\[(?:error|warning|notice|debug|command|section|group)\])+")
_SERVER = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?", re.ASCII)
_SAFE_IN_URLS = "/?#&=%+,;:.-_~"


def size(text: str) -> int:
    """Return how many bytes a text is on GitHub."""
    return len(text.encode("utf-8", "surrogatepass"))


def code(text: str, longest: int = NAME) -> str:
    """Return a code span that shows a text from outside on one line, its secrets masked."""
    shown = shortened(_harmless(_BREAKS.sub(" ", _JOINERS.sub("", mask(text[:_LOOKED_AT])))).strip(), longest)
    if not shown:
        return _NOTHING
    ticks = "`" * (_longest_run(shown) + 1 if "`" in shown else 1)
    # One space on both sides is taken away again, https://github.github.com/gfm/#code-spans.
    padding = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{ticks}{padding}{shown}{padding}{ticks}"


def commit(sha: str) -> str:
    """Return a commit as people write it, in a code span, so that GitHub makes no reference of it."""
    return code(sha[:7])


def fenced(lines: Sequence[str], anchor: str | None = None) -> str:
    """Return a fenced block of lines from outside, at most 20 around the anchor, which an arrow marks.

    Whatever else reads comments line by line, such as bots that take `/commands`, finds no line of a log: each stands
    two columns in.
    """
    # Together, because a key of several lines shows only where it begins.
    masked = mask("\n".join(line.replace("\n", " ")[:_LOOKED_AT] for line in lines)).split("\n")
    shown = [_line(line) for line in _dedented([without_command(line) for line in masked])]
    marked = lines.index(anchor) if anchor in lines else None
    first = 0 if marked is None else max(0, min(marked - MOST_LINES // 2, len(shown) - MOST_LINES))
    rows = [
        f"{'→' if first + place == marked else ' '} {line}".rstrip()
        for place, line in enumerate(shown[first : first + MOST_LINES])
    ]
    fence = "`" * max(3, _longest_run("\n".join(rows)) + 1)
    return "\n".join([f"{fence}text", *rows, fence])


def without_command(line: str) -> str:
    """Return a line of a log without the runner's `##[error]` before it."""
    return _COMMAND.sub("", line)


def link(text: str, url: str | None, server: str | None) -> str:
    """Return our own Markdown as a link, or as it is where the URL does not lead to the server."""
    if url is None or server is None or not url.startswith(f"{server}/"):
        return text
    target = quote(url, safe=_SAFE_IN_URLS, errors="replace")
    return text if len(target) > _LONGEST_URL else f"[{text}]({target})"


def server_of(url: str) -> str | None:
    """Return the scheme and host of a URL on GitHub, None where it has none that can be linked to."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    server = f"{parts.scheme}://{parts.netloc}"
    return server if _SERVER.fullmatch(server) and url.startswith(server) else None


def shortened(text: str, longest: int) -> str:
    """Return a text of at most so many characters, what is left out told by an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + ELLIPSIS


def listed(items: Sequence[str], total: int) -> str:
    """Return `a`, `b` and 3 more, of `total` items the first few of which are given."""
    if not items:
        return ""
    rest = total - len(items)
    if rest > 0:
        return f"{', '.join(items)} and {rest} more"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def bullets(items: Iterable[str]) -> str:
    """Return a list."""
    return "\n".join(f"- {item}" for item in items)


def _line(line: str) -> str:
    return shortened(_harmless(_BREAKS.sub(_blank, _JOINERS.sub("", line))).rstrip(), LINE)


def _blank(found: re.Match[str]) -> str:
    return found[0].replace("\t", "    ") if set(found[0]) <= {" ", "\t"} else " "


def _harmless(text: str) -> str:
    seen = text if text.isascii() and text.isprintable() else _UNSEEN.sub("�", text)
    return _TOO_LONG_A_RUN.sub(rf"\1{ELLIPSIS}", seen)


def _longest_run(text: str) -> int:
    return max((len(run) for run in _RUN_OF_BACKTICKS.findall(text)), default=0)


def _dedented(lines: Sequence[str]) -> list[str]:
    """Return lines without the blanks that all of them begin with; those that stand for what is left out have none."""
    told = [line for line in lines if line.strip() and line != ELLIPSIS]
    margin = min((len(line) - len(line.lstrip(" ")) for line in told), default=0)
    return [line if line == ELLIPSIS else line[margin:] for line in lines]
