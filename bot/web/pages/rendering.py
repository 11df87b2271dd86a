"""From a template to HTML. Whatever is put into one is escaped."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot import __version__
from bot.domain.durations import to_the_second
from bot.web.pages.assets import asset_url

TEMPLATES = Path(__file__).parent.parent / "templates"


def render(template: str, **values: Any) -> str:
    """Return the page that `template` makes of `values`; a name that it uses and nobody gave is an error."""
    return _templates().get_template(template).render(values)


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    templates.globals |= {"asset_url": asset_url, "version": __version__}
    templates.filters |= {"duration": to_the_second}
    return templates
