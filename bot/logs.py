"""Logs go to stdout, a line an event, bound to what they are about, with every secret taken out."""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

REDACTED = "[redacted]"
# A shorter setting would redact harmless words all over the log.
SHORTEST_SECRET = 6
# GitHub's tokens (https://docs.github.com/en/authentication/keeping-your-account-and-data-secure), ours, bearer
# credentials (RFC 6750), passwords in URLs, and PEM keys (RFC 7468).
PATTERNS = re.compile(
    r"gh[pousr]_[A-Za-z0-9._-]+|github_pat_[A-Za-z0-9_]+|rlt_[A-Za-z0-9_-]+"
    r"|(?<=[Bb][Ee][Aa][Rr][Ee][Rr] )[^\s'\"]+|(?<=://)[^\s/@:'\"]*:[^\s/@'\"]+(?=@)"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
# JSON Web Tokens (RFC 7519). What begins like one is taken as a whole, since to look for a dot behind each place where
# one may begin would take the square of the length.
_WEB_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]++(?P<rest>\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)?)?")
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
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
        # A key of several lines may come out a line at a time.
        lines = {line.strip() for secret in secrets for line in (secret, *_telling_lines(secret))}
        known = sorted((line for line in lines if len(line) >= SHORTEST_SECRET), key=len, reverse=True)
        self._secrets = secrets
        self._known = re.compile("|".join("".join(map(_spelled, line)) for line in known)) if known else None

    def joined_by(self, secrets: tuple[str, ...]) -> "Redactor":
        """Return a redactor that knows these secrets besides."""
        return Redactor(tuple(dict.fromkeys((*self._secrets, *secrets))))

    def __call__(self, text: str) -> str:
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _WEB_TOKEN.sub(lambda found: REDACTED if found["rest"] else found[0], text)
        return PATTERNS.sub(REDACTED, text)

    def within(self, value: Any) -> Any:
        """Return `value` as JSON can hold it, with every text in it redacted."""
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {self(str(name)): self.within(each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.within(each) for each in value]
        return self(str(value))


def _telling_lines(secret: str) -> list[str]:
    # The first and the last line of a key are the same in every key, and tell where another one begins and ends.
    return [line for line in secret.splitlines() if not line.startswith("-----")]


def _spelled(character: str) -> str:
    """Return the pattern of a character, however often it has been quoted by JSON, by `repr`, or as bytes."""
    if character == "\\":
        return r"\\+"
    if character in "'\"":
        return rf"\\*{character}"
    if character.isascii() and character.isprintable():
        return re.escape(character)
    in_bytes = repr(character.encode(errors="surrogatepass"))[2:-1]
    quoted = {character.encode("unicode_escape").decode(), json.dumps(character)[1:-1], in_bytes}
    spellings = "|".join(sorted(quoted)).replace("\\", r"\\+")
    return f"(?:{re.escape(character)}|{spellings})"


class LineFormatter(logging.Formatter):
    """The base of both formats: whatever it makes of a record goes through the redactor, tracebacks included."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__()
        self._redact = redact

    def redact_also(self, secrets: tuple[str, ...]) -> None:
        """Take these secrets out as well."""
        self._redact = self._redact.joined_by(secrets)

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """Return what a record says, in the order it is shown."""
        extra = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        fields = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record),
            **(_bound.get() or {}),
            **extra,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return fields

    def format(self, record: logging.LogRecord) -> str:
        # Before the fields become a line: in one, quoting would hide a secret and redacting could break the quoting.
        return self.line(self._redact.within(self.fields(record)))

    def line(self, fields: dict[str, Any]) -> str:
        """Return the fields as one line."""
        raise NotImplementedError


class JsonFormatter(LineFormatter):
    """One JSON object a line."""

    def line(self, fields: dict[str, Any]) -> str:
        # ASCII alone: a lone surrogate can't be written, and some readers end lines at U+2028.
        return json.dumps(fields)


class TextFormatter(LineFormatter):
    """For people: the time, the level, the message, and what it is about."""

    def line(self, fields: dict[str, Any]) -> str:
        exception = fields.pop("exception", None)
        head = f"{fields.pop('time')} {fields.pop('level'):7} {fields.pop('message')}"
        fields.pop("logger")
        about = "".join(f" {name}={value}" for name, value in fields.items())
        first = _harmless(head + about)
        if exception is None:
            return first
        # Indented, so that an exception's own words can't forge a line either.
        return "\n".join([first, *(f"    {_harmless(line)}" for line in exception.split("\n"))])


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # The logging module would print the arguments to stderr, past the redactor.
        return f"{record.msg} {record.args}"


def _harmless(text: str) -> str:
    # A message must not be able to forge a line of its own, nor to paint on a terminal.
    return CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def redact_also(secrets: tuple[str, ...]) -> None:
    """Keep these secrets out of every line from now on too, as those that were learnt after the start."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, LineFormatter):
            handler.formatter.redact_also(secrets)


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
