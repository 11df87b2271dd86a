"""`team`: teams and the installations that map to them."""

from typing import Annotated

import typer

from bot.access import teams
from bot.cli.running import configured, on_database, run
from bot.clock import Clock
from bot.store.queries.filters import GITHUB_ID_MAX
from bot.store.views import TeamList

cli = typer.Typer(help="Teams and the installations that map to them.", no_args_is_help=True)


@cli.command("list")
def list_teams() -> None:
    """List the teams: id, slug, name, and their installations."""
    found: TeamList = run(on_database(configured(quiet=True), teams.list_all_teams()))
    for team in found.teams:
        installations = ", ".join(
            f"{each.account_login}:{each.installation_id} ({each.state})" for each in team.installations
        )
        typer.echo(f"{team.id}  {team.slug}  {team.name}  {installations or '-'}")


@cli.command("rename")
def rename(
    team: Annotated[str, typer.Argument(help="The team's slug or id.")],
    slug: Annotated[str, typer.Argument(help="Its new slug.")],
    name: Annotated[str | None, typer.Option(help="Its new name; by default as it was.")] = None,
) -> None:
    """Give a team another slug."""
    run(on_database(configured(quiet=True), teams.rename_team(team, slug, name, now=Clock().now())))
    typer.echo(f"{team} is now {slug.lower()}")


@cli.command("link")
def link(
    installation: Annotated[int, typer.Option(min=1, max=GITHUB_ID_MAX, help="The installation's id.")],
    team: Annotated[str, typer.Option(help="The slug or id of the team that it is to map to.")],
) -> None:
    """Let an installation, and all that is recorded of it, map to a team."""
    run(on_database(configured(quiet=True), teams.link_installation(installation, team, now=Clock().now())))
    typer.echo(f"installation {installation} now maps to {team}")
