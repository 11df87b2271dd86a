"""Holds bodies to GitHub's published schemas, through the models that githubkit generates from them."""

import dataclasses
import inspect
import json
from functools import cache
from typing import Any

from githubkit import GitHub, webhooks
from pydantic import TypeAdapter, ValidationError

from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.ledger import Call
from bot.demo.github.webhooks.deliveries import Delivery

# The schemas of an App's permissions lag behind GitHub's own examples, and those of webhooks behind what it sends.
_TOLERATED = ".permissions."
_SENT_ALL_THE_SAME = {"archived_at", "archived_by", "display_title", "user_view_type"}
# Fields of the API's first version that are gone from the second, which githubkit's models are of.
_GONE = {"assignee", "has_downloads", "merge_commit_sha", "rate", "use_squash_pr_title_as_default"}

FEW = 5


def faults_of(delivery: Delivery) -> list[str]:
    """Return the fields that the schema does not know; raise pydantic's error where it is not met."""
    parsed = webhooks.parse(delivery.event, delivery.body)
    known = parsed.model_dump(by_alias=True, exclude_unset=True)
    unknown = (path for path in _left_out(told(delivery), known) if _TOLERATED not in path)
    return [path for path in unknown if path.rpartition(".")[2] not in _GONE | _SENT_ALL_THE_SAME]


def told(delivery: Delivery) -> dict[str, Any]:
    """Return the body as plain data."""
    body: dict[str, Any] = json.loads(delivery.body)
    return body


class AnswersHeld:
    """Set as `github.rest.on_answer`, holds every (or each `every`th) answer to its schema; see `faults`.

    Of a long list, whose items are all made alike, it takes a few, each time others.
    """

    def __init__(self, every: int = 1) -> None:
        self.faults: list[str] = []
        self.held: set[tuple[str, int]] = set()
        self._every = every
        self._seen = 0

    def __call__(self, call: Call, answer: Answer) -> None:
        self._seen += 1
        if call.operation and self._seen % self._every == 0:
            self.held.add((call.operation, answer.status))
            some = dataclasses.replace(answer, body=_some_of(answer.body, self._seen))
            self.faults += [f"{call.operation} {answer.status}: {fault}" for fault in answer_faults(call, some)]


def _some_of(body: Any, turn: int) -> Any:
    """Return a body with a few items of each list that it is, or that it holds."""
    if isinstance(body, dict):
        return {name: _some_of(value, turn) if isinstance(value, list) else value for name, value in body.items()}
    if not isinstance(body, list) or len(body) <= FEW:
        return body
    return [body[(turn + len(body) * number // FEW) % len(body)] for number in range(FEW)]


def answer_faults(call: Call, answer: Answer) -> list[str]:
    """Return how an answer strays from what GitHub publishes for its operation."""
    if answer.status >= 300:
        return _faults_of_refusal(answer)
    if response_model(call.operation) is None:
        return [] if answer.body in (None, {}) else ["there should be no body"]
    adapter = _adapter(call.operation)
    try:
        known = adapter.dump_python(
            adapter.validate_json(json.dumps(answer.body), strict=True), by_alias=True, exclude_unset=True
        )
    except ValidationError as error:
        return [str(error)]
    unknown = (path for path in _left_out(answer.body, known) if _TOLERATED not in path)
    return [f"{path} is unknown" for path in unknown if path.rpartition(".")[2] not in _GONE | _SENT_ALL_THE_SAME]


@cache
def _adapter(operation: str) -> TypeAdapter[Any]:
    return TypeAdapter(response_model(operation))


def _left_out(sent: Any, known: Any, path: str = "") -> list[str]:
    """Return the paths of fields that were sent and that the model has not kept."""
    if isinstance(sent, list):
        return [fault for one, other in zip(sent, known, strict=True) for fault in _left_out(one, other, f"{path}[]")]
    if not isinstance(sent, dict):
        return []
    missing = [f"{path}.{name}" for name in sent if name not in known]
    kept = [name for name in sent if name in known]
    return missing + [fault for name in kept for fault in _left_out(sent[name], known[name], f"{path}.{name}")]


def _faults_of_refusal(answer: Answer) -> list[str]:
    if answer.status in {302, 304}:
        return []
    wanted = {"message": str, "documentation_url": str, "status": str}
    if not isinstance(answer.body, dict):
        return ["a refusal is no object"]
    return [f"{key} is missing" for key, kind in wanted.items() if not isinstance(answer.body.get(key), kind)]


class _Asked(Exception):
    def __init__(self, model: Any) -> None:
        self.model = model


class _NeverAsks(GitHub[Any]):
    def request(self, *args: Any, response_model: Any = None, **kwargs: Any) -> Any:
        raise _Asked(response_model)


@cache
def response_model(operation: str) -> Any:
    """Return githubkit's model of what an operation answers, None where it answers nothing."""
    group, _, name = operation.replace("-", "_").partition("/")
    method = getattr(getattr(_ASKER.rest, group), name)
    parameters = inspect.signature(method).parameters.values()
    needed = {one.name: 1 for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD}
    try:
        method(**needed)
    except _Asked as asked:
        return None if asked.model in (inspect.Parameter.empty, None) or not _is_type(asked.model) else asked.model
    raise AssertionError(f"{operation} asks nothing")


def _is_type(model: Any) -> bool:
    return isinstance(model, type) or hasattr(model, "__origin__")


_ASKER: Any = _NeverAsks(rest_api_validate_body=False)
