"""`setup-link`: a new link to the set-up page."""

import typer

from bot.cli.running import configured, on_database, run
from bot.clock import Clock
from bot.errors import SettingsError
from bot.setup import links


def setup_link() -> None:
    """Print a new link to the set-up page: it opens once, within 24 hours."""
    settings = configured(quiet=True)
    if settings.secret_key is None:
        raise SettingsError(links.WITHOUT_KEY)
    token = run(on_database(settings, links.new_link(Clock().now())))
    typer.echo(links.link_of(token, settings))
    if settings.public_url is None:
        typer.echo(links.ELSEWHERE, err=True)
