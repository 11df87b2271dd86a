"""Starting and stopping what is measured: each server is a process of its own, on a core of its own."""

import asyncio
import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.bodies import SECRET
from tests.ports import reserve_port

ROOT = Path(__file__).parent.parent
OURS, PLAIN = "runledger", "plain bot"
START_SECONDS, STOP_SECONDS = 30.0, 15.0
PLAIN_BOT_OPTIONS = "journal_mode=WAL&synchronous=FULL&busy_timeout=30000"


@functools.cache
def all_cores() -> tuple[int, ...]:
    """Return the cores that there are for all of it."""
    # Asked once: the load generator then keeps to its own.
    return tuple(sorted(os.sched_getaffinity(0)))


def cores() -> tuple[int, int]:
    """Return the core of the servers and the core of the load generator, the same one where there is only one."""
    return all_cores()[0], all_cores()[-1]


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process; more exact than the hundredths of a second that the system counts in.

    Raises OSError when there is none. https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
    """
    return time.clock_gettime(~pid << 3 | 2)


@dataclass(frozen=True)
class Tables:
    """Where a side keeps what it was told, as `Truth` gives it, and how to ask what it has put off."""

    runs: str
    jobs: str
    waiting: str | None = None


OUR_TABLES = Tables(
    "SELECT run_id, status, conclusion FROM workflow_run",
    "SELECT job_id, status, conclusion, runner_name FROM workflow_job",
    "SELECT 1 FROM delivery WHERE state = 'waiting' UNION ALL SELECT 1 FROM journal_entry LIMIT 1",
)
PLAIN_TABLES = Tables(
    "SELECT run_id, status, conclusion FROM run", "SELECT job_id, status, conclusion, runner_name FROM job"
)


@dataclass(frozen=True)
class Side:
    """One of those that are compared: how it is started, what it holds if anything, and whether it listens."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    tables: Tables | None = None
    listens: bool = True

    @property
    def database_url(self) -> str:
        """The URL that the side itself is given."""
        return self.environment.get("DATABASE_URL") or self.environment["PLAIN_BOT_DB"]


@dataclass
class Server:
    """A side that runs."""

    side: Side
    port: int
    process: psutil.Process

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, in user and kernel mode, of all its threads."""
        return cpu_seconds(self.process.pid)

    def resident_mebibytes(self) -> float:
        """Return how much memory it holds."""
        return float(self.process.memory_info().rss) / 2**20

    def let_run_on(self, cores: Iterable[int]) -> None:
        """Let every thread, also those to come, run on these cores only."""
        for thread in self.process.threads():
            os.sched_setaffinity(thread.id, cores)


def runledger(database: Path) -> Side:
    """Return the service as users run it on SQLite: worker, logs and metrics on, each request counted, none refused."""
    return Side(OURS, ("-m", "bot", "serve"), _environment(f"sqlite://{database}"), OUR_TABLES)


def runledger_web(url: str, number: int) -> Side:
    """Return one of several web processes on PostgreSQL."""
    command = ("-m", "bot", "serve", "--no-worker", "--no-migrate")
    return Side(f"{OURS} web {number}", command, _environment(url), OUR_TABLES)


def runledger_worker(url: str) -> Side:
    """Return the worker beside them."""
    return Side(f"{OURS} worker", ("-m", "bot", "worker"), _environment(url), OUR_TABLES, listens=False)


def _environment(url: str) -> dict[str, str]:
    return {"DATABASE_URL": url, "WEBHOOK_SECRET": SECRET, "HOST": "127.0.0.1", "API_RATE_LIMIT": "10000000"}


def plain_bot(database: Path) -> Side:
    """Return the yardstick for ingest on SQLite: the file named by PLAIN_BOT, or the one beside this."""
    return plain_bot_on(f"sqlite://{database}?{PLAIN_BOT_OPTIONS}")


def plain_bot_on(url: str) -> Side:
    """Return the same on the database of any URL."""
    program = os.environ.get("PLAIN_BOT") or str(ROOT / "bench" / "plain_bot.py")
    environment = {"PLAIN_BOT_DB": url, "WEBHOOK_SECRET": SECRET}
    return Side(PLAIN, (str(Path(program).resolve()),), environment, PLAIN_TABLES)


def whose_plain_bot() -> str:
    """Return which of the two it is, for titles."""
    return "that of PLAIN_BOT" if os.environ.get("PLAIN_BOT") else "own"


def bare(*, uvloop: bool) -> Side:
    """Return the limit of the framework: a handler that does nothing but read and answer."""
    return Side(f"bare handler, {'uvloop' if uvloop else 'asyncio'}", ("-m", "bench.bare", *(["uvloop"] * uvloop)), {})


def naive_lists(database: Path) -> Side:
    """Return the yardstick for lists."""
    return Side("model instances", ("-m", "bench.naive_lists"), {"DATABASE_URL": f"sqlite://{database}"})


def simulated_github(runs: int, seconds: float) -> Side:
    """Return a GitHub that has so many runs, and takes so many seconds to answer."""
    speed = f"{seconds} s an answer" if seconds else "a quick GitHub"
    return Side(speed, ("-m", "bench.past", str(runs), str(seconds)), {})


@asynccontextmanager
async def running(*sides: Side, folder: Path) -> AsyncIterator[list[Server]]:
    """Run these servers on a core of their own, their output going to files in `folder`.

    All that listen are ready when this is entered. Raises RuntimeError, with the end of
    its output, when one does not come up.
    """
    async with AsyncExitStack() as stack:
        started = [await stack.enter_async_context(_process(side, folder)) for side in sides]
        await asyncio.gather(*(_until_ready(server, folder) for server in started if server.side.listens))
        for server in started:
            server.let_run_on({cores()[0]})
        yield started


@asynccontextmanager
async def _process(side: Side, folder: Path) -> AsyncIterator[Server]:
    port = reserve_port()
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "LD_PRELOAD"}}
    environment = {**kept, **side.environment, "PORT": str(port), "PYTHONPATH": str(ROOT)}
    with _log(side, folder).open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220, nothing is being measured yet
            [sys.executable, *side.command], cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        yield Server(side, port, psutil.Process(process.pid))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _log(side: Side, folder: Path) -> Path:
    return folder / f"{side.name.replace(' ', '-').replace(',', '')}.log"


async def _until_ready(server: Server, folder: Path) -> None:
    for _ in range(int(START_SECONDS / 0.02)):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(0.02)
            if not server.process.is_running() or server.process.status() == psutil.STATUS_ZOMBIE:
                break
        else:
            writer.close()
            await writer.wait_closed()
            return
    message = f"{server.side.name} does not come up:\n{_log(server.side, folder).read_text()[-2000:]}"
    raise RuntimeError(message)
