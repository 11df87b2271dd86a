"""`doctor`: a plain sentence for whatever is wrong."""

import typer

from bot.checks import examine
from bot.cli.running import configured, run
from bot.clock import Clock


def doctor() -> None:
    """Check settings, the App at GitHub, database, worker and installations; exit 1 where anything is wrong."""
    settings = configured(quiet=True)
    findings = run(examine(settings, Clock()))
    for finding in findings:
        typer.echo(f"{'ok   ' if finding.good else 'FAULT'}  {finding.sentence}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
