"""What our client can ask of GitHub, read off its own source: nobody has to keep a list of it."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import bot.github
from bot.demo.github.rest.routes import ROUTES, Route

# The methods of our client that take a path first, and what they send.
SENDING = {"get": "GET", "pages": "GET", "locate": "GET", "post": "POST", "patch": "PATCH"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def operations_of_ours() -> dict[str, Route]:
    """Return the simulated GitHub's routes for what our client can ask of the API, by GitHub's own names.

    Raises KeyError for a path that the simulated GitHub does not know.
    """
    known = {(route.method, _shape(route.path)): route for route in ROUTES}
    routes = [known[method, _shape(path)] for method, path in paths_of_ours()]
    return {route.operation: route for route in routes if route.operation}


def paths_of_ours() -> set[tuple[str, str]]:
    """Return method and path template of each request in bot/github."""
    found = set()
    for info in pkgutil.iter_modules(bot.github.__path__, "bot.github."):
        module = importlib.import_module(info.name)
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, Function):
                found |= set(_requests_in(node, dict(vars(module))))
    return found


def _requests_in(function: Function, names: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = _text(node.value, names)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [_text(each, names) for each in node.args]
            paths = [text for text in texts if text.startswith("/")]
            methods = [SENDING.get(node.func.attr, ""), *(text for text in texts if text in SENDING.values())]
            yield from ((method, path) for method in methods if method for path in paths)


def _text(expression: ast.expr, names: dict[str, Any]) -> str:
    """Return what an expression of constants comes to, empty if it is none or no text."""
    try:
        value = eval(compile(ast.Expression(expression), "path", "eval"), dict(names))
    except Exception:  # noqa: BLE001  whatever needs more than names is no constant
        return ""
    return value if isinstance(value, str) else ""


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "*", path.partition("{?")[0])
