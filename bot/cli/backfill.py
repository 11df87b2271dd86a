"""`backfill`: fetches history, or watches the service's own worker fetch it, and shows how it goes."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from bot import dispatcher, history
from bot.cli.running import configured, on_database, run, with_app
from bot.cli.showing import name_of, showing, summary
from bot.clock import Clock
from bot.errors import NotFound, ParameterError, RunledgerError
from bot.github.apps import get_app
from bot.history import deferring
from bot.settings import Settings
from bot.store import queries
from bot.store.database import current
from bot.store.queries import Scope
from bot.store.queries.filters import BackfillRequest
from bot.store.views import BackfillProgress
from bot.web.parameters import parameters_of

PATIENCE = 60.0
Span = tuple[datetime | None, datetime | None]


def backfill(
    repo: Annotated[
        list[str] | None, typer.Option(metavar="OWNER/NAME", help="A repository; may be given several times.")
    ] = None,
    team: Annotated[
        str | None, typer.Option(help="Slug or id of a team: all its repositories, or the one that --repo is in.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Runs created at or after this date or time; else of 90 days.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Runs created at or before this time, or by the end of this date."),
    ] = None,
) -> None:
    """Fetch the history of repositories from GitHub, going on where it was stopped."""
    if not repo and team is None:
        message = "say which with --repo, or --team for all of a team's"
        raise typer.BadParameter(message)
    names = [_checked("repoFullName", "--repo", each) for each in repo or ()]
    span = _checked("since", "--since", since), _checked("until", "--until", until)
    settings = configured(quiet=True)
    # Somebody watches, who wants to know why nothing goes on; what is given up is told in the end.
    logging.getLogger(dispatcher.__name__).setLevel(logging.INFO)
    logging.getLogger(deferring.__name__).setLevel(logging.ERROR)
    try:
        ended = run(on_database(settings, _fetch(settings, names, team, span)))
    except KeyboardInterrupt:
        message = "stopped; what is left is fetched when this is called again, or by a worker"
        raise RunledgerError(message) from None
    _report(ended)


def _checked(parameter: str, option: str, text: str | None) -> Any:
    if text is None:
        return None
    try:
        return parameters_of(BackfillRequest)[parameter].read(text)
    except ParameterError as error:
        raise typer.BadParameter(error.message, param_hint=option) from None


async def _fetch(settings: Settings, names: Sequence[str], team: str | None, span: Span) -> list[BackfillProgress]:
    clock = Clock()
    async with history.opened(await with_app(settings), current(), clock) as tools:
        # Credentials that are wrong are told at once, where waiting would not help.
        await get_app(tools.github.app.with_patience(PATIENCE))
        asked = await _ask(names, team, span, clock.now())
        with showing(clock) as show:
            async for progress in history.following(tools, asked):
                show(progress, history.time_left(tools, progress))
    return progress


async def _ask(names: Sequence[str], team: str | None, span: Span, now: datetime) -> list[tuple[Scope, int]]:
    """Ask for all that is named; return the backfills, each once, with the scope of its team."""
    wanted: list[tuple[Scope, str | None]] = [(await _scope_of(name, team), name) for name in names]
    asked: dict[int, Scope] = {}
    for scope, name in wanted or [(await _team(team or ""), None)]:
        try:
            found = await history.ask_for_backfill(scope, name, *span, now)
        except ParameterError as error:
            message = f"--since {error.message}" if error.parameter == "since" else error.message
            raise RunledgerError(message) from None
        asked |= dict.fromkeys(found, scope)
    return [(scope, backfill_id) for backfill_id, scope in asked.items()]


async def _scope_of(name: str, team: str | None) -> Scope:
    if team is not None:
        return await _team(team)
    scopes = await queries.scopes_that_name(name)
    if len(scopes) == 1:
        return scopes[0]
    if scopes:
        slugs = ", ".join(scope.slug for scope in scopes)
        message = f"{name} is in several teams: say which with --team ({slugs})"
        raise RunledgerError(message)
    message = f"there is no repository {name}: it shows up once the App is installed on it and something has happened"
    raise NotFound(message)


async def _team(team: str) -> Scope:
    scope = await queries.find_scope(team)
    if scope is None:
        message = f"there is no team {team!r}"
        raise NotFound(message)
    return scope


def _report(ended: Sequence[BackfillProgress]) -> None:
    for each in ended:
        typer.echo(summary(each))
    failed = [each for each in ended if each.state == "failed"]
    for each in failed:
        typer.echo(f"runledger: the history of {name_of(each)} is not whole: {each.error}", err=True)
    if failed:
        raise typer.Exit(1)
