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
    """What a page says: its heading, its problems, its words, its forms and its links by their text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.heading = ""
        self.problems: list[str] = []
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.words = ""
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._labelled: tuple[str, str] | None = None
        self._labels_of: dict[str, str] = {}
        self._select = ""
        self.feed(html)

    @property
    def form(self) -> Form:
        (only,) = self.forms
        return only

    def form_with(self, button: str) -> Form:
        return next(form for form in self.forms if button in form.buttons)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get")))
        if tag in {"h1", "p", "button", "label", "a"}:
            self._open.append((tag, given, []))
        if tag == "select":
            self._select = given["name"]
        if tag == "option" and (self._select not in self.forms[-1].fields or "selected" in given):
            self.forms[-1].fields[self._select] = given["value"]
        if tag == "input":
            self._take_input(given)

    def _take_input(self, given: dict[str, str]) -> None:
        form, name, value = self.forms[-1], given["name"], given.get("value", "")
        self._labelled = (name, value)
        if given.get("id") in self._labels_of:
            form.labels[self._labels_of[given["id"]]] = self._labelled
        if given.get("type") not in {"radio", "checkbox"} or "checked" in given:
            form.fields[name] = value

    def handle_data(self, data: str) -> None:
        self.words += data
        for _, _, told in self._open:
            told.append(data)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            return
        _, given, told = self._open.pop()
        text = " ".join("".join(told).split())
        if tag == "h1":
            self.heading = text
        if tag == "p" and given.get("class") == "problem":
            self.problems.append(text)
        if tag == "a":
            self.links[text] = given.get("href", "")
        if tag == "button":
            name = given.get("aria-label") or text
            self.forms[-1].buttons[name] = (given.get("name", ""), given.get("value", ""))
        if tag == "label":
            self._end_label(text, given.get("for"))

    def _end_label(self, text: str, labels: str | None) -> None:
        """Keep what a label is for: the input inside of it, or the one of that id, which comes later on our pages."""
        if labels is not None:
            self._labels_of[labels] = text
        elif self._labelled is not None:
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
        form = self.page.form_with(button)
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
