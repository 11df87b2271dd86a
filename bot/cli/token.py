"""`token`: API tokens, shown once and kept as a hash."""

from datetime import datetime
from typing import Annotated

import typer

from bot import access
from bot.cli.running import configured, on_database, run
from bot.clock import Clock

cli = typer.Typer(help="API tokens: shown once, kept as a hash.", no_args_is_help=True)


@cli.command("create")
def create(
    team: Annotated[str, typer.Option(help="Slug of the team whose record the token reads.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    expires: Annotated[int | None, typer.Option(min=1, max=3650, metavar="DAYS", help="Days until it ends.")] = None,
) -> None:
    """Make a token and print it, this once."""
    token = run(on_database(configured(quiet=True), access.create_token(team, name, Clock().now(), expires)))
    typer.echo("Keep this token now: it is not shown again.", err=True)
    typer.echo(token)


@cli.command("list")
def list_tokens(team: Annotated[str | None, typer.Option(help="Only this team's.")] = None) -> None:
    """List tokens: id, how it begins, team, name, whether it is in force, and who made it."""
    now = Clock().now()
    for line in run(on_database(configured(quiet=True), access.list_tokens(team))):
        typer.echo(f"{line.id}  {line.hint}…  {line.team}  {line.name}  {_state(line, now)}  {_maker(line)}")


def _state(line: access.TokenLine, now: datetime) -> str:
    if line.revoked_at is not None:
        return f"revoked {line.revoked_at:%Y-%m-%d}"
    if line.expires_at is None:
        return "in force"
    return f"{'expired' if line.expires_at <= now else 'in force until'} {line.expires_at:%Y-%m-%d}"


def _maker(line: access.TokenLine) -> str:
    return "of the operator" if line.maker is None else f"of {line.maker}"


@cli.command("revoke")
def revoke(which: Annotated[str, typer.Argument(metavar="ID|NAME|TOKEN", help="Which token.")]) -> None:
    """Revoke a token, at once."""
    revoked = run(on_database(configured(quiet=True), access.revoke_token(which, Clock().now())))
    typer.echo(f"revoked {revoked.name} of {revoked.team}")
