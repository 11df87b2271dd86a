"""A browser without scripts: it opens pages, fills in forms, presses buttons, keeps cookies, and follows redirects."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp


@dataclass
class Form:
    """One form: what it would send, its buttons by their text, and what its labels are for."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    labels: dict[str, tuple[str, str]] = field(default_factory=dict)


class Page(HTMLParser):
    """What a page says: its heading, its problems, its one form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.heading = ""
        self.problems: list[str] = []
        self.forms: list[Form] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self._text = ""
        self._labelled: tuple[str, str] | None = None
        self.feed(html)

    @property
    def form(self) -> Form:
        (only,) = self.forms
        return only

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        if tag in {"h1", "p", "button", "label"}:
            self._open.append((tag, given))
            self._text = ""
        if tag == "input":
            self._take_input(given)

    def _take_input(self, given: dict[str, str]) -> None:
        form, name, value = self.forms[-1], given["name"], given.get("value", "")
        self._labelled = (name, value)
        if given.get("type") not in {"radio", "checkbox"} or "checked" in given:
            form.fields[name] = value

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            return
        _, given = self._open.pop()
        text = " ".join(self._text.split())
        if tag == "h1":
            self.heading = text
        if tag == "p" and given.get("class") == "problem":
            self.problems.append(text)
        if tag == "button":
            self.forms[-1].buttons[text] = (given.get("name", ""), given.get("value", ""))
        if tag == "label" and self._labelled is not None:
            self.forms[-1].labels[text] = self._labelled


@dataclass
class Browser:
    """Where it is: `status` and `page`; `left_for` is the address of another site, which it does not follow."""

    session: aiohttp.ClientSession
    home: str
    url: str = ""
    status: int = 0
    text: str = ""
    page: Page = field(default_factory=lambda: Page(""))
    left_for: str = ""

    @property
    def query(self) -> dict[str, str]:
        """What the other site was told."""
        return dict(parse_qsl(urlsplit(self.left_for).query))

    async def open(self, path: str, **form: str) -> Page:
        """Open a page, by sending a form if fields are given."""
        return await self._ask("POST" if form else "GET", urljoin(self.home, path), form)

    async def press(self, button: str = "", *, choosing: tuple[str, ...] = (), **typed: str) -> Page:
        """Choose what has these labels, type into fields of these names, and press a button."""
        form = self.page.form
        chosen = dict(form.labels[label] for label in choosing)
        pressed = dict([form.buttons[button]] if form.buttons[button][0] else [])
        return await self._ask(
            form.method.upper(), urljoin(self.url, form.action), form.fields | chosen | typed | pressed
        )

    def untick(self, *labels: str) -> None:
        for label in labels:
            del self.page.form.fields[self.page.form.labels[label][0]]

    async def _ask(self, method: str, url: str, fields: dict[str, str]) -> Page:
        self.left_for = ""
        sent = {"params": fields} if method == "GET" else {"data": fields}
        while True:
            async with self.session.request(method, url, allow_redirects=False, **sent) as response:  # type: ignore[arg-type]
                self.url, self.status, self.text = str(response.url), response.status, await response.text()
                location = response.headers.get("Location", "")
            if self.status not in {302, 303}:
                self.page = Page(self.text)
                return self.page
            method, url, sent = "GET", urljoin(url, location), {}
            if not url.startswith(self.home):
                self.left_for = url
                return self.page


@asynccontextmanager
async def browsing(home: str) -> AsyncIterator[Browser]:
    """Start a browser that has been nowhere."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Browser(session, home)
