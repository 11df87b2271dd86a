"""`serve`, `worker` and `migrate`: the processes that a deployment runs."""

from typing import Annotated

import typer

from bot import app
from bot.cli.running import configured, run
from bot.clock import Clock
from bot.store import migrate as migrations

Host = Annotated[str | None, typer.Option(help="Where to listen; by default HOST.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Where to listen; by default PORT.")]
WithWorker = Annotated[
    bool | None,
    typer.Option("--worker/--no-worker", help="Handle deliveries in this process; by default on SQLite only."),
]
Migrating = Annotated[
    bool | None,
    typer.Option(
        "--migrate/--no-migrate", help="Bring the database to the newest schema first; by default on SQLite only."
    ),
]

MetricsPort = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Serve this worker's own metrics on this port of loopback.")
]


def serve(host: Host = None, port: Port = None, worker: WithWorker = None, migrate: Migrating = None) -> None:
    """Serve webhooks, the API and the pages."""
    settings = configured(host=host, port=port)
    alone = app.runs_worker_by_default(settings)
    run(
        app.serve(
            settings,
            Clock(),
            with_worker=alone if worker is None else worker,
            migrating=alone if migrate is None else migrate,
            show=typer.echo,
        )
    )


def worker(metrics_port: MetricsPort = None) -> None:
    """Handle recorded deliveries and run the timed jobs; any number may run beside each other."""
    run(app.work(configured(), Clock(), metrics_port=metrics_port))


def migrate() -> None:
    """Bring the database to the newest schema; safe when several start at once."""
    settings = configured(quiet=True)
    applied = run(migrations.migrate(settings.database_url.get_secret_value()))
    typer.echo(f"applied {', '.join(applied)}" if applied else "the database is at the newest schema")
