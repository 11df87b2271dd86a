"""What every text holds that a pattern matches, read off the pattern itself."""

import itertools
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

# The standard library's own, which it does not promise to keep.
_parser: Any = import_module("re._parser")
sre: Any = import_module("re._constants")

UNKNOWN = "\0"
_MOST = 600


def forms(pattern: re.Pattern[str]) -> set[str]:
    """Return the texts that the pattern stands for, in lower case, with `UNKNOWN` for what may be anything."""
    return {form.lower() for form in _sequence(_parser.parse(pattern.pattern, pattern.flags))}


def _sequence(parsed: Iterable[tuple[Any, Any]]) -> set[str]:
    told = {""}
    for operation, argument in parsed:
        told = {before + form for before, form in itertools.product(told, _element(operation, argument))}
        assert len(told) <= _MOST, "too many forms: write two rules"
    return told


def _element(operation: Any, argument: Any) -> set[str]:
    if operation is sre.LITERAL:
        return {chr(argument)}
    if operation is sre.IN:
        return _one_of(argument)
    if operation is sre.SUBPATTERN:
        return _sequence(argument[-1])
    if operation is sre.BRANCH:
        return set().union(*map(_sequence, argument[1]))
    if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        return _repeated(*argument)
    return {""} if operation in (sre.AT, sre.ASSERT, sre.ASSERT_NOT) else {UNKNOWN}


def _one_of(members: Sequence[tuple[Any, Any]]) -> set[str]:
    if all(kind is sre.LITERAL for kind, _ in members) and len(members) <= 8:
        return {chr(value).lower() for _, value in members}
    return {UNKNOWN}


def _repeated(least: int, most: int, body: Any) -> set[str]:
    once = _sequence(body)
    if most == 1:
        return {"", *once} if least == 0 else once
    if least == 0:
        return {"", UNKNOWN}
    return {form * least + UNKNOWN for form in once}
