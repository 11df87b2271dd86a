"""Renders pages, and refusals as pages. Nothing on them comes from another host, and nothing needs a script."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.demo.github.rest.answers import Answer, Failure

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "Cache-Control": "no-store",
}


class Shown(Failure):
    """Ends a request with a page, or by leading to another one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, "")
        self.answer = answer


@cache
def _templates() -> Environment:
    folder = FileSystemLoader(Path(__file__).parent / "templates")
    return Environment(loader=folder, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def page(template: str, status: int = 200, **shown: Any) -> Answer:
    """Return a page; `shown` needs a `title`, and `session` where somebody is signed in."""
    values = {"session": None, **shown}
    return Answer(status, _templates().get_template(f"{template}.html").render(values), _HEADERS)


def refusal(status: int, title: str, *problems: str) -> Shown:
    """Return what ends a request with a page that says why."""
    return Shown(page("refusal", status, title=title, problems=problems))


def missing() -> Shown:
    """Return what is shown in place of all that is not there or not to be seen."""
    return refusal(404, "Page not found", "This is not the web page you are looking for.")


def lead(url: str, headers: dict[str, str] | None = None, **query: str | None) -> Answer:
    """Lead to an address, with what is known of the query added to its own."""
    asked = urlencode({name: value for name, value in query.items() if value is not None})
    mark = "&" if "?" in url else "?"
    return Answer(302, None, {"Location": f"{url}{mark}{asked}" if asked else url, **(headers or {})})
