"""Pages of lists, and the Link header that leads through them.

https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from bot.demo.github.rest.answers import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bot.demo.github.rest.asking import Ask

T = TypeVar("T")

LARGEST_PAGE = 100
_USUAL_PAGE = 30


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for, from 1 on."""

    number: int
    size: int

    @property
    def start(self) -> int:
        return (self.number - 1) * self.size

    @property
    def stop(self) -> int:
        return self.number * self.size


def asked_page(ask: Ask) -> Page:
    """Return the page that `page` and `per_page` ask for; for what makes no sense GitHub takes the default."""
    size = _positive(ask.query.get("per_page"), _USUAL_PAGE)
    return Page(_positive(ask.query.get("page"), 1), min(size, LARGEST_PAGE))


def paged(ask: Ask, items: Sequence[T], render: Callable[[T], Any], key: str | None = None) -> Answer:
    """Answer with one page of `items`: plain, or under `key` beside `total_count` where GitHub wraps the list."""
    page = asked_page(ask)
    shown = [render(item) for item in items[page.start : page.stop]]
    body = shown if key is None else {"total_count": len(items), key: shown}
    return Answer(200, body, page_links(ask, page, len(items)))


def page_links(ask: Ask, page: Page, total: int) -> dict[str, str]:
    """Return the Link header of one page among those of `total` items, none where there is but one page."""
    last = -(-total // page.size)
    links = {}
    if page.number > 1:
        links["prev"] = page.number - 1
    if page.number < last:
        links |= {"next": page.number + 1, "last": last}
    if page.number > 1:
        links["first"] = 1
    return link_header({name: _address(ask, page=str(number)) for name, number in links.items()})


def cursor_links(ask: Ask, following: str | None) -> dict[str, str]:
    """Return the Link header of a list that is walked by cursors."""
    return {} if following is None else link_header({"next": _address(ask, cursor=following)})


def link_header(links: dict[str, str]) -> dict[str, str]:
    """Return addresses by their relation as a Link header (RFC 8288)."""
    text = ", ".join(f'<{url}>; rel="{name}"' for name, url in links.items())
    return {"Link": text} if text else {}


def _address(ask: Ask, **changed: str) -> str:
    """Return the address that was asked with some parameters changed, with the repository's id for its name."""
    path = ask.location.partition("?")[0]
    if "owner" in ask.path:
        rest = path.partition(f"/repos/{ask.path['owner']}/{ask.path['repo']}")[2]
        path = f"/repositories/{ask.repository().id}{rest}"
    return f"{ask.addresses.api}{path}?{urlencode({**ask.query, **changed})}"


def _positive(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else default
