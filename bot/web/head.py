"""A request's head, read in the short way where it is as plain as those of GitHub and of proxies are.

https://www.rfc-editor.org/rfc/rfc9112
aiohttp's parser, the objects that it makes and the task that it wakes cost three times what it takes to receive a
delivery and to answer it; `bench/ingest` shows what the short way is worth. It knows one form: all that is unusual, and
all that is wrong, it doesn't take, and the parser reads it instead. What is taken reads as the parser would read it.
"""

import re
from functools import lru_cache

from msgspec import Struct

# The parser's own bounds are as much for each line.
MOST_BYTES = 8190
MOST_FIELDS = 100
# Nothing is ever given back in here (`++`), or a head that is no such head could keep it busy.
_FIRST, _VALUE, _END = rb"POST (/[!-~]*+) HTTP/1\.1\r\n", rb"[ -~]*+", rb"\r\n"
_PLAIN = re.compile(_FIRST + rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:" + _VALUE + _END + rb")++)" + _END)
_LENGTH = re.compile(r"[0-9]{1,9}", re.ASCII)
# What changes how a request is to be read or answered.
_UNUSUAL = frozenset(
    {
        "content-encoding",
        "expect",
        "proxy-connection",
        "sec-websocket-key1",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class Head(Struct):
    """The head of a POST, as it came and what it says: `length` is that of the body, names are in lower case.

    Where it `is_familiar`, `fields` are only those that are wanted.
    """

    raw: bytes
    path: bytes
    fields: dict[str, str]
    length: int
    is_familiar: bool = False


def find_head(data: bytes | memoryview) -> Head | None:
    """Return the head that `data` begins with, None where it isn't whole or isn't plain."""
    found = _PLAIN.match(data)
    if found is None or found.end() > MOST_BYTES:
        return None
    path, lines = found.groups()
    fields, count = _fields(lines)
    length = fields.get("content-length", "")
    if len(fields) != count or count > MOST_FIELDS or not _is_usual(fields) or not _LENGTH.fullmatch(length):
        return None
    return Head(found[0], path, fields, int(length))


def _fields(lines: bytes) -> tuple[dict[str, str], int]:
    fields, said = {}, lines.decode("ascii").split("\r\n")
    for line in said[:-1]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip(" ")
    return fields, len(said) - 1


def _is_usual(fields: dict[str, str]) -> bool:
    return (
        "host" in fields
        and _UNUSUAL.isdisjoint(fields)
        and fields.get("connection", "keep-alive").lower() == "keep-alive"
    )


class HeadReader:
    """Reads the heads of one sender, which nearly always hold the same names in the same order.

    One that is like the last that was remembered is read in half the time, and only for the `wanted` fields.
    """

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted | {"content-length"}
        self._form: _Form | None = None

    def find(self, data: bytes | memoryview) -> Head | None:
        """Return what `find_head` does."""
        head = None if self._form is None else self._form.find(data)
        return head or find_head(data)

    def remember(self, head: Head) -> None:
        """Expect heads like this one; not for everybody, as that takes as long as a hundred of them."""
        names = [line.partition(b":")[0].decode() for line in head.raw.split(b"\r\n")[1:-2]]
        self._form = _form(tuple(names), self._wanted)


class _Form:
    """Heads that hold these names in this order."""

    def __init__(self, names: tuple[str, ...], wanted: frozenset[str]) -> None:
        self._names = [name.lower() for name in names if name.lower() in wanted]
        lines = [re.escape(name).encode() + b":" + _value(name.lower(), wanted) + _END for name in names]
        self._pattern = re.compile(_FIRST + b"".join(lines) + _END)

    def find(self, data: bytes | memoryview) -> Head | None:
        found = self._pattern.match(data)
        if found is None or found.end() > MOST_BYTES:
            return None
        path, *values = found.groups()
        fields = {name: value.decode("ascii").strip(" ") for name, value in zip(self._names, values, strict=True)}
        return Head(found[0], path, fields, int(fields["content-length"]), is_familiar=True)


def _value(name: str, wanted: frozenset[str]) -> bytes:
    if name == "content-length":
        return rb" *+([0-9]{1,9}) *+"
    value = rb" *+(?i:keep-alive) *+" if name == "connection" else _VALUE
    return b"(" + value + b")" if name in wanted else value


_form = lru_cache(maxsize=64)(_Form)
