"""`inbox`: looks at recorded deliveries and puts them back in line."""

from typing import Annotated

import typer

from bot import inbox
from bot.cli.running import configured, on_database, run
from bot.clock import Clock
from bot.domain.texts import is_storable
from bot.errors import RunledgerError

STATES = ("waiting", "handled", "ignored", "dead")

cli = typer.Typer(help="Look at recorded deliveries and put them back in line.", no_args_is_help=True)


def _state(value: str | None) -> str | None:
    if value is not None and value not in STATES:
        message = f"must be one of {', '.join(STATES)}"
        raise typer.BadParameter(message)
    return value


def _guids(values: list[str] | None) -> list[str]:
    for value in values or []:
        if not is_storable(value):
            message = f"{value!r} is no GUID: it must be UTF-8 without NUL"
            raise RunledgerError(message)
    return values or []


@cli.command("list")
def list_deliveries(
    state: Annotated[str | None, typer.Option(callback=_state, help="Only those that are this.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at the most.")] = 100,
) -> None:
    """List deliveries, the newest first: time, GUID, event, state, tries, and why it failed."""
    settings = configured(quiet=True)
    for line in run(on_database(settings, inbox.list_deliveries(state, limit))):
        received = line.received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        typer.echo(f"{received}  {line.guid}  {line.event}  {line.state}  {line.tries}  {line.error or ''}".rstrip())


@cli.command("replay")
def replay(
    guids: Annotated[
        list[str] | None, typer.Argument(metavar="GUID…", callback=_guids, help="Which deliveries.")
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Every dead one.")] = False,
) -> None:
    """Put deliveries back in line, to be handled again."""
    if bool(guids) == dead:
        message = "name deliveries, or say --dead, and not both"
        raise typer.BadParameter(message)
    settings = configured(quiet=True)
    now = Clock().now()
    if dead:
        typer.echo(f"{run(on_database(settings, inbox.replay_dead(now)))} put back in line")
        return
    replayed, missing = run(on_database(settings, inbox.replay(guids or [], now)))
    typer.echo(f"{len(replayed)} put back in line")
    for guid in missing:
        typer.echo(
            f"runledger: {guid} is not in the inbox, or its body is not kept: it was handled as it came, or long ago",
            err=True,
        )
    if missing:
        raise typer.Exit(1)
