"""`demo`: the whole product without a GitHub account."""

import asyncio
import sys
from datetime import timedelta
from typing import Annotated

import msgspec
import typer

from bot import access, logs
from bot.app import stop_signal
from bot.cli.running import run
from bot.clock import Clock, ManualClock
from bot.demo.scenario import (
    Agreement,
    Stage,
    compare,
    run_disasters,
    run_tour,
    staged,
    trickle,
    with_what_is_told,
)

DEFAULT_PORT = 8080
SHOWN_DIFFERENCES = 20
LASTS = timedelta(days=15)


def demo(
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Where the service listens.")] = None,
    github_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where the simulated GitHub listens; 0 takes any port that is free.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="What the simulated GitHub is drawn from.")] = 1,
    once: Annotated[bool, typer.Option("--once", help="Play the scenario once, compare, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print one JSON object.")] = False,
) -> None:
    """Run the service against a simulated GitHub, on a throw-away database."""
    if as_json and not once:
        message = "--json goes with --once"
        raise typer.BadParameter(message)
    # What goes wrong on the way is the scenario's own doing, and told as such.
    logs.configure("error", "text", stream=sys.stderr)
    if not once:
        run(_stay(DEFAULT_PORT if port is None else port, github_port, seed))
        return
    agreement = run(_play_once(port or 0, github_port, seed, quiet=as_json))
    typer.echo(_json(agreement) if as_json else _sentences(agreement))
    if not agreement.holds:
        raise typer.Exit(1)


async def _play_once(port: int, github_port: int, seed: int, *, quiet: bool) -> Agreement:
    # The days of the disasters go by in seconds, and end about now.
    clock = ManualClock(Clock().now() - LASTS)
    async with staged(clock, seed=seed, port=port, github_port=github_port) as stage:
        for act in (run_tour, run_disasters):
            async for line in with_what_is_told(stage, act(stage)):
                # With --json standard output is for the one object alone.
                typer.echo(line, err=quiet)
        return await compare(stage)


async def _stay(port: int, github_port: int, seed: int) -> None:
    stopped = stop_signal()
    async with staged(Clock(), seed=seed, port=port, github_port=github_port, signing_in=True) as stage:
        playing = asyncio.create_task(_play(stage))
        ending = asyncio.create_task(stopped.wait())
        await asyncio.wait({playing, ending}, return_when=asyncio.FIRST_COMPLETED)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=not playing.done())


async def _play(stage: Stage) -> None:
    async for line in with_what_is_told(stage, run_tour(stage)):
        typer.echo(line)
    await _show_the_way(stage)
    async for line in with_what_is_told(stage, trickle(stage)):
        typer.echo(line)


async def _show_the_way(stage: Stage) -> None:
    token = await access.create_token(stage.team, "demo", stage.clock.now())
    runs = f"{stage.address}/api/integrations/github/workflow-runs?team={stage.team}"
    typer.echo("")
    owner = stage.company.people[0].login
    typer.echo(f"Open {stage.address} and sign in as {owner}, who owns {stage.team}, or {stage.address}/docs, or ask:")
    typer.echo(f"  curl -H 'Authorization: Bearer {token}' '{runs}'")
    typer.echo(
        f"The simulated GitHub answers at {stage.github_address}, to its App {stage.github.app.id} by the key in"
    )
    typer.echo(f"  {stage.service.key_path}")
    typer.echo("Events go on trickling in; stop with Ctrl-C.")
    typer.echo("")


def _json(agreement: Agreement) -> str:
    told = {
        "deliveries": agreement.deliveries,
        "runs": agreement.runs,
        "attempts": agreement.attempts,
        "jobs": agreement.jobs,
        "backfilledRuns": agreement.backfilled_runs,
        "checkRuns": agreement.check_runs,
        "comments": agreement.comments,
        "deadDeliveries": agreement.dead_deliveries,
        "github": agreement.github,
        "differences": agreement.differences,
    }
    return msgspec.json.encode(told).decode()


def _sentences(agreement: Agreement) -> str:
    theirs = agreement.github
    sent = "{deliveries_made} deliveries ({deliveries_duplicates} sent twice, {deliveries_delayed} late)".format(
        **theirs
    )
    recorded = f"{agreement.runs} runs, {agreement.attempts} attempts, {agreement.jobs} jobs"
    lines = [
        f"recorded:  {recorded}, from {agreement.deliveries} deliveries ({agreement.dead_deliveries} dead)",
        f"told:      {agreement.check_runs} check summaries, {agreement.comments} comments",
        f"at GitHub: {theirs['runs']} runs, {theirs['attempts']} attempts, {theirs['jobs']} jobs, from {sent}",
        "They agree." if agreement.holds else f"They differ in {len(agreement.differences)} points:",
        *agreement.differences[:SHOWN_DIFFERENCES],
    ]
    return "\n".join(lines)
