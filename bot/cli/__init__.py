"""The commands. Exit codes: 0 done, 1 it did not work (one sentence on stderr), 2 wrong usage."""

import sys

import typer

from bot.cli import backfill, demo, doctor, inbox, receive, serve, setup_link, team, token
from bot.errors import RunledgerError

cli = typer.Typer(
    name="runledger",
    help="Remembers every GitHub Actions run of your organisations, and answers questions about them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command("serve")(serve.serve)
cli.command("worker")(serve.worker)
cli.command("migrate")(serve.migrate)
cli.command("backfill")(backfill.backfill)
cli.command("receive")(receive.receive)
cli.add_typer(inbox.cli, name="inbox")
cli.add_typer(team.cli, name="team")
cli.add_typer(token.cli, name="token")
cli.command("setup-link")(setup_link.setup_link)
cli.command("doctor")(doctor.doctor)
cli.command("demo")(demo.demo)


def main() -> None:
    """Run the command line; never a traceback for what a user can mend."""
    try:
        cli(prog_name="runledger")
    except RunledgerError as error:
        sys.stderr.write(f"runledger: {error}\n")
        sys.exit(1)
    except BrokenPipeError:
        # Whoever read our output has seen enough.
        sys.stderr.close()
        sys.exit(1)
