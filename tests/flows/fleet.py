"""The processes of a deployment, each started by its own line of the Procfile as a host does it."""

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.flows.router import Refusal, Router
from tests.ports import reserve_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60
# What the project promises, on a machine that has other things to do too.
STOP_SECONDS = 10
READY = {"web": b'"message": "listening"', "worker": b'"message": "working"'}
# A refusal is noted when the router hears of it, which may be a moment after the restart that it fell into.
HEARD_LATE_SECONDS = 0.5


def procfile() -> dict[str, list[str]]:
    """Return the command of each kind of process: https://devcenter.heroku.com/articles/procfile."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    return {kind: shlex.split(command) for kind, _, command in (line.partition(": ") for line in lines)}


@dataclass
class Started:
    """A process, what it wrote, and for a web process its port."""

    process: asyncio.subprocess.Process
    log: Path
    port: int


@dataclass
class Fleet:
    """Processes by names such as `web.1`, on one database. Each start gets a port of its own from the host.

    `instead` has words of the Procfile, and what stands in their place. `away` holds, for each web process, from when
    to when it was being restarted, by the loop's time.
    """

    url: str
    folder: Path
    router: Router
    settings: Mapping[str, str]
    instead: Mapping[str, str] = field(default_factory=dict)
    running: dict[str, Started] = field(default_factory=dict)
    away: list[tuple[str, float, float]] = field(default_factory=list)
    stops: int = 0
    logs: list[Path] = field(default_factory=list)

    async def release(self) -> None:
        """Run the release phase to its end."""
        started = await self._begin("release", 0)
        assert await started.process.wait() == 0, started.log.read_text()

    async def start(self, name: str) -> None:
        """Start a process, and return once it is ready and the router knows it."""
        self.running[name] = started = await self._begin(name.partition(".")[0], reserve_port())
        await self._until_ready(name, started)
        if name.startswith("web"):
            self.router.ports[name] = started.port

    async def restart(self, name: str, *, signals: int) -> None:
        """End a process, and only then start the next one, as a host does that has room for one."""
        since = _now()
        await self._end(self.running[name], signals)
        await self.start(name)
        self.away.append((name, since, _now()))

    async def replace(self, name: str, *, signals: int) -> None:
        """Start the next one, let the old one finish what the router gave it, and only then tell it to end."""
        former = self.running[name]
        await self.start(name)
        await self.router.until_done_with(former.port)
        since = _now()
        await self._end(former, signals)
        self.away.append((name, since, _now()))

    async def stop(self) -> None:
        """End them all at once."""
        await asyncio.gather(*(self._end(started, 1) for started in self.running.values()))
        self.running.clear()

    def unexcused(self) -> list[Refusal]:
        """Return the requests that were refused while the process that refused them was not being restarted."""
        return [
            refusal
            for refusal in self.router.refusals
            if not any(
                name == refusal.process and since <= refusal.at <= until + HEARD_LATE_SECONDS
                for name, since, until in self.away
            )
        ]

    def tracebacks(self) -> list[str]:
        """Return what went wrong in a process without anybody expecting it."""
        return [log.name for log in self.logs if "Traceback" in log.read_text()]

    async def _begin(self, kind: str, port: int) -> Started:
        program, *arguments = [self.instead.get(word, word) for word in procfile()[kind]]
        assert program == "python"
        log = self.folder / f"{len(self.logs):03}-{kind}.log"
        self.logs.append(log)
        # Not in the checkout, where there may be somebody's .env.
        environment = {**os.environ, **self.settings, "DATABASE_URL": self.url, "PORT": str(port)}
        environment["PYTHONPATH"] = str(ROOT)
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *arguments), cwd=self.folder, env=environment, stdout=output, stderr=output
            )
        return Started(process, log, port)

    async def _until_ready(self, name: str, started: Started) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while READY[name.partition(".")[0]] not in started.log.read_bytes():
                assert started.process.returncode is None, started.log.read_text()
                await asyncio.sleep(0.02)

    async def _end(self, started: Started, signals: int) -> None:
        for _ in range(signals):
            # It may be gone before the second signal.
            with contextlib.suppress(ProcessLookupError):
                started.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(STOP_SECONDS):
            code = await started.process.wait()
        assert code == 0, started.log.read_text()[-2000:]
        self.stops += 1

    async def kill(self) -> None:
        """Leave nothing behind, whatever has happened."""
        for started in self.running.values():
            if started.process.returncode is None:
                started.process.kill()
                await started.process.wait()


@asynccontextmanager
async def deployed(fleet: Fleet) -> AsyncIterator[Fleet]:
    """Give a fleet without a process yet; whatever runs at the end is killed."""
    try:
        yield fleet
    finally:
        await fleet.kill()


def _now() -> float:
    return asyncio.get_running_loop().time()
