"""The program itself, as processes of its own: the commands, and the service.

Each process is forked from one that has imported the program already, so that starting it costs a fork and not a second
of imports; what runs in it is what `python -m bot` runs.
"""

import json
import multiprocessing
import os
import runpy
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

SECRET = "a secret between GitHub and us"
PATIENCE_SECONDS = 30.0
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["bot.cli"])


class Outcome(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def _become(arguments: list[str], environment: dict[str, str], folder: str, name: str) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, suffix in ((1, "out"), (2, "err")):
        file = os.open(f"{name}.{suffix}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    sys.argv = ["bot", *arguments]
    # Whoever starts the suite in the background lets it ignore what Ctrl-C sends, and each program with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runpy.run_module("bot", run_name="__main__", alter_sys=True)


def _environment(folder: Path, settings: Mapping[str, str | None]) -> dict[str, str]:
    chosen: dict[str, str | None] = {
        "PATH": os.environ.get("PATH", ""),
        "WEBHOOK_SECRET": SECRET,
        "DATABASE_URL": f"sqlite://{folder / 'runledger.sqlite3'}",
        **settings,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _start(folder: Path, name: str, arguments: tuple[str, ...], settings: Mapping[str, str | None]) -> BaseProcess:
    work = (list(arguments), _environment(folder, settings), str(folder), name)
    process = _forks.Process(target=_become, args=work)
    process.start()
    return process


def run(folder: Path, *arguments: str, **settings: str | None) -> Outcome:
    """Run a command to its end in `folder`, with these settings and no others; None takes a default setting away."""
    return Running(folder, *arguments, **settings).end()


class Running:
    """A command that has been started in `folder`."""

    def __init__(self, folder: Path, *arguments: str, **settings: str | None) -> None:
        name = f"command-{time.monotonic_ns()}"
        self._process = _start(folder, name, arguments, settings)
        self._out, self._err = ((folder / f"{name}.{suffix}") for suffix in ("out", "err"))

    @property
    def err(self) -> str:
        """What it has written to stderr so far."""
        return self._err.read_text() if self._err.exists() else ""

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def end(self) -> Outcome:
        """Wait until it ends, and return how; -1 and a signal's negative number are a violent end."""
        self._process.join(PATIENCE_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        code = self._process.exitcode
        self._process.close()
        return Outcome(-1 if code is None else code, self._out.read_text(), self.err)


@contextmanager
def serving(folder: Path, *arguments: str, **settings: str | None) -> Iterator[str]:
    """Run `serve` in `folder` on a free port of loopback, and yield its address.

    Raises RuntimeError with its output when it does not begin to listen, or does not end well when it is asked to.
    """
    name = f"service-{time.monotonic_ns()}"
    process = _start(folder, name, ("serve", "--host", "127.0.0.1", "--port", "0", *arguments), settings)
    try:
        yield _address(process, folder / f"{name}.out", folder / f"{name}.err")
        process.terminate()
        process.join(PATIENCE_SECONDS)
        if process.exitcode != 0:
            message = f"the service ended with {process.exitcode}: {(folder / f'{name}.err').read_text()}"
            raise RuntimeError(message)
    finally:
        process.kill()
        process.join()
        process.close()


def _address(process: BaseProcess, out: Path, err: Path) -> str:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.is_alive():
        for line in out.read_text().splitlines() if out.exists() else ():
            if '"listening"' in line and line.endswith("}"):
                address: str = json.loads(line)["address"]
                return address
        time.sleep(0.01)
    message = f"the service did not begin to listen: {err.read_text() if err.exists() else ''}"
    raise RuntimeError(message)
