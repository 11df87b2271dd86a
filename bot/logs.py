"""Logs go to stdout, a line an event, bound to what they are about, with every secret taken out."""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

REDACTED = "[redacted]"
# A shorter setting would redact harmless words all over the log.
SHORTEST_SECRET = 6
# GitHub's tokens (https://docs.github.com/en/authentication/keeping-your-account-and-data-secure), ours, JSON Web
# Tokens (RFC 7519), bearer credentials (RFC 6750), passwords in URLs, and PEM keys (RFC 7468).
PATTERNS = re.compile(
    r"gh[pousr]_[A-Za-z0-9._-]+|github_pat_[A-Za-z0-9_]+|rlt_[A-Za-z0-9_-]+"
    r"|eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?"
    r"|(?<=[Bb]earer )[^\s'\"]+|(?<=://)[^\s/@:'\"]*:[^\s/@'\"]+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_bound: ContextVar[dict[str, Any] | None] = ContextVar("bound", default=None)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@contextlib.contextmanager
def bound(**about: Any) -> Iterator[None]:
    """Bind whatever is logged inside to what it is about: `delivery`, `event`, `installation`, `repository`, `run`."""
    told = {name: value for name, value in about.items() if value is not None}
    token = _bound.set({**(_bound.get() or {}), **told})
    try:
        yield
    finally:
        _bound.reset(token)


class Redactor:
    """Takes secrets out of a text: those it is told, and whatever looks like one."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        known = sorted(
            {each.strip() for each in secrets if len(each.strip()) >= SHORTEST_SECRET}, key=len, reverse=True
        )
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        return PATTERNS.sub(REDACTED, text)


class LineFormatter(logging.Formatter):
    """The base of both formats: whatever it makes of a record goes through the redactor, tracebacks included."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what a record says, in the order it is shown."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_bound.get() or {}),
            **extra,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return fields

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(self.line(self.fields(record)))

    def line(self, fields: dict[str, Any]) -> str:
        """Return the fields as one line."""
        raise NotImplementedError


class JsonFormatter(LineFormatter):
    """One JSON object a line."""

    def line(self, fields: dict[str, Any]) -> str:
        return json.dumps(fields, default=str, ensure_ascii=False)


class TextFormatter(LineFormatter):
    """For people: the time, the level, the message, and what it is about."""

    def line(self, fields: dict[str, Any]) -> str:
        exception = fields.pop("exception", None)
        head = f"{fields.pop('time')} {fields.pop('level'):7} {fields.pop('message')}"
        fields.pop("logger")
        about = "".join(f" {name}={value}" for name, value in fields.items())
        # A message must not be able to forge a line of its own.
        first = (head + about).replace("\n", "\\n").replace("\r", "\\r")
        return f"{first}\n{exception}" if exception else first


def configure(
    level: str, form: Literal["text", "json"], secrets: tuple[str, ...] = (), stream: TextIO | None = None
) -> None:
    """Send every logger's lines of at least `level` to stdout."""
    redact = Redactor(secrets)
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter(redact) if form == "json" else TextFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # These log statements with their parameters, and every request with its query: bodies, hashes and addresses.
    for chatty in ("tortoise", "aiosqlite", "asyncio", "aiohttp.access"):
        logging.getLogger(chatty).setLevel(max(logging.INFO, root.level))
