"""Text that came in a query, a path or a header, checked against the Struct that declares it.

Each parameter is looked at on its own, so that one answer names everything that is wrong.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from msgspec import inspect

from bot.domain.texts import is_storable
from bot.errors import ParameterError, RunledgerError

S = TypeVar("S", bound=msgspec.Struct)
Pairs = Sequence[tuple[str, str]]

_INTEGER = re.compile(r"-?[0-9]{1,40}")
# A `+` that a client forgot to escape arrives as a space; in this one place it can't mean anything else.
_MOMENT = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})(?:[Tt ](?P<time>\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?)"
    r"(?:(?P<zulu>[Zz])|(?P<sign>[-+ ])(?P<hours>\d{2}):?(?P<minutes>\d{2}))?)?",
    re.ASCII,
)
_LONGEST_NAME_SHOWN = 100
_TO_THE_END_OF_THE_DAY = timedelta(days=1) - timedelta(microseconds=1)


class ParameterErrors(RunledgerError):
    """Everything that is wrong with a request's parameters, each named in `faults`."""

    def __init__(self, faults: Sequence[ParameterError]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = list(faults)


class Truth(str):
    """A JSON value that is true or false, as the word that stands for it in a query."""

    __slots__ = ()


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: its name outside, its attribute inside, and what it must be."""

    name: str
    attribute: str
    type: Any
    kind: inspect.Type
    required: bool
    default: Any
    expectation: str
    whole_day: bool
    reader: Callable[[str], Any]
    pattern: re.Pattern[str] | None

    def read(self, text: str) -> Any:
        """Return the value that `text` stands for.

        Raises ParameterError.
        """
        if isinstance(text, Truth) and not isinstance(self.kind, inspect.BoolType):
            raise ParameterError(self.name, self.expectation)
        try:
            value = self.reader(_clean(text))
            if self.whole_day and _is_date_alone(text):
                value += _TO_THE_END_OF_THE_DAY
            # msgspec searches, and `$` also matches before a final line feed.
            if self.pattern is not None and self.pattern.fullmatch(text) is None:
                raise ValueError
            return msgspec.convert(value, self.type)
        except _NotText:
            raise ParameterError(self.name, "must be UTF-8 without NUL") from None
        except (ValueError, OverflowError):
            raise ParameterError(self.name, self.expectation) from None


class _NotText(Exception):
    pass


@cache
def parameters_of(struct: type[msgspec.Struct]) -> Mapping[str, Parameter]:
    """Return what `struct` declares, by the names used outside."""
    hints = get_type_hints(struct, include_extras=True)
    declared = inspect.type_info(struct)
    assert isinstance(declared, inspect.StructType)  # noqa: S101, what type_info returns for a Struct
    return {
        field.encode_name: Parameter(
            name=field.encode_name,
            attribute=field.name,
            type=hints[field.name],
            kind=(kind := _kind(field.type)),
            required=field.required,
            default=None if field.required else field.default,
            expectation=_expected(kind),
            whole_day=_takes_whole_day(field.type),
            reader=_READERS.get(type(kind), str),
            pattern=re.compile(kind.pattern) if isinstance(kind, inspect.StrType) and kind.pattern else None,
        )
        for field in declared.fields
    }


def query_pairs(raw_query: str) -> Pairs:
    """Split a query string; bytes that are not UTF-8 become lone surrogates, which no parameter takes."""
    return tuple(parse_qsl(raw_query, keep_blank_values=True, errors="surrogateescape"))


@lru_cache(maxsize=128)
def list_pairs(raw_query: str) -> Pairs:
    """Split the query of a list, by which it is asked for and then links to its other pages.

    What else a query may hold, such as the code that GitHub sends a browser back with, is kept nowhere.
    """
    return query_pairs(raw_query)


@lru_cache(maxsize=1024)
def parse_query(struct: type[S], raw_query: str) -> S:
    """Return the frozen `struct` that a query string asks for. Raises ParameterErrors as `parse` does.

    Dashboards ask the same over and over, so the last that were well-formed are remembered; `bench/lists` asks so too.
    """
    return parse(struct, list_pairs(raw_query))


def parse(struct: type[S], pairs: Pairs) -> S:
    """Return the `struct` that `pairs` of name and text ask for.

    Raises ParameterErrors naming every parameter that is unknown, repeated, missing or malformed.
    """
    faults: list[ParameterError] = []
    parsed = collect(struct, pairs, faults)
    if parsed is None:
        raise ParameterErrors(faults)
    return parsed


def collect(struct: type[S], pairs: Pairs, faults: list[ParameterError]) -> S | None:
    """Like `parse`, but add what is wrong to `faults` and return None, for whoever has several Structs to check."""
    known = parameters_of(struct)
    found = [*_misnamed(known, pairs)]
    given = dict(pairs)
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        try:
            if name in given:
                values[parameter.attribute] = parameter.read(given[name])
            elif parameter.required:
                raise ParameterError(name, "is required")
        except ParameterError as fault:
            found.append(fault)
    faults.extend(found)
    return None if found else struct(**values)


def _misnamed(known: Mapping[str, Parameter], pairs: Pairs) -> Iterable[ParameterError]:
    given = [name for name, _ in pairs]
    for name in dict.fromkeys(given):
        if name not in known:
            yield ParameterError(printable(name), "is not a parameter here")
        elif given.count(name) > 1:
            yield ParameterError(name, "is given more than once")


def printable(name: str) -> str:
    """Return a name that came from outside as it can be shown."""
    return name[:_LONGEST_NAME_SHOWN].encode("utf-8", "backslashreplace").decode()


def _clean(text: str) -> str:
    if not is_storable(text):
        raise _NotText
    return text


def _read_integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueError
    return int(text)


def _read_boolean(text: str) -> bool:
    return {"true": True, "false": False}[text] if text in {"true", "false"} else _refuse()


def _read_moment(text: str) -> datetime:
    match = _MOMENT.fullmatch(text) or _refuse()
    offset = f"{match['sign'].replace(' ', '+')}{match['hours']}:{match['minutes']}" if match["sign"] else "+00:00"
    return datetime.fromisoformat(f"{match['date']}T{match['time'] or '00:00'}{offset}").astimezone(UTC)


def _is_date_alone(text: str) -> bool:
    match = _MOMENT.fullmatch(text)
    return match is not None and match["time"] is None


def _refuse() -> Any:
    raise ValueError


_READERS: Mapping[type[inspect.Type], Callable[[str], Any]] = {
    inspect.IntType: _read_integer,
    inspect.BoolType: _read_boolean,
    inspect.DateTimeType: _read_moment,
}


def _kind(declared: inspect.Type) -> inspect.Type:
    """Return the one type that is left of `declared` without its notes and its None."""
    match declared:
        case inspect.Metadata(type=inner):
            return _kind(inner)
        case inspect.UnionType(types=members):
            return next(_kind(member) for member in members if not isinstance(member, inspect.NoneType))
    return declared


def _takes_whole_day(declared: inspect.Type) -> bool:
    match declared:
        case inspect.Metadata(type=inner, extra=extra):
            return bool((extra or {}).get("whole_day")) or _takes_whole_day(inner)
        case inspect.UnionType(types=members):
            return any(map(_takes_whole_day, members))
    return False


def _expected(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType(ge=least, le=most):
            return f"must be a whole number from {least} to {most}"
        case inspect.BoolType():
            return "must be true or false"
        case inspect.LiteralType(values=values):
            return f"must be one of {', '.join(map(str, values))}"
        case inspect.DateTimeType():
            return "must be an ISO 8601 date or time, such as 2026-01-05 or 2026-01-05T09:00:00Z"
        case inspect.StrType(pattern=str(pattern)):
            return f"must match {pattern}"
        case inspect.StrType(min_length=least, max_length=most):
            return f"must have {least} to {most} characters"
    message = f"no parameter can be a {type(kind).__name__}"
    raise TypeError(message)
