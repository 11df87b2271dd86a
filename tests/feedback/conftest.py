"""These tests run on the loop that the service runs on, which does with a third less of the machine's time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop


def pytest_asyncio_loop_factories(config: pytest.Config) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": _loop}


def _loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()
    loop.set_exception_handler(_end_at_timeout)
    return loop


def _end_at_timeout(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """End a test that has run out of time, which uvloop would let go on: it hands all that a signal raises to this."""
    if isinstance(context.get("exception"), pytest.fail.Exception):
        for task in asyncio.all_tasks(loop):
            task.cancel(str(context["exception"]))
    else:
        loop.default_exception_handler(context)
