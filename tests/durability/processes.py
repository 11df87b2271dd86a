"""The real service as processes of its own, which can be killed at any moment and started again."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from tests.durability.posts import SECRET
from tests.ports import reserve_port

ROOT = Path(__file__).parents[2]
READY_SECONDS = 60
STOP_SECONDS = 10


class Deployment:
    """One or several processes on one database; `commands` are what comes after `python -m bot`."""

    def __init__(self, url: str, folder: Path, *commands: tuple[str, ...], **environment: str) -> None:
        self.port = reserve_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.commands = commands
        self.processes: list[asyncio.subprocess.Process] = []
        self._folder = folder
        self.log = folder / "service.log"
        told = {
            "DATABASE_URL": url,
            "WEBHOOK_SECRET": SECRET,
            "HOST": "127.0.0.1",
            "LOG_LEVEL": "info",
            "LOG_FORMAT": "json",
        }
        self._environment = os.environ | told | {"PORT": str(self.port), "PYTHONPATH": str(ROOT)} | environment

    async def start(self, *commands: tuple[str, ...]) -> None:
        """Start the processes, or these instead, and return once the service answers and the worker works."""
        with self.log.open("ab") as log:
            written = log.tell()
            for command in commands or self.commands:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "bot", *command),
                    cwd=self._folder,
                    env=self._environment,
                    stdout=log,
                    stderr=log,
                )
                self.processes.append(process)
        await self._until_ready(written)

    async def _until_ready(self, written: int) -> None:
        async with asyncio.timeout(READY_SECONDS):
            while self._ready_since(written) < len(self.processes):
                ended = [process.returncode for process in self.processes if process.returncode is not None]
                assert not ended, f"ended with {ended} as it started: {self.log.read_text()[-2000:]}"
                await asyncio.sleep(0.02)

    def _ready_since(self, written: int) -> int:
        told = self.log.read_bytes()[written:]
        return told.count(b'"message": "listening"') + told.count(b'"message": "working"')

    async def kill(self) -> None:
        """Kill every process at once, without a word of warning."""
        for process in self.processes:
            if process.returncode is None:
                process.send_signal(signal.SIGKILL)
        for process in self.processes:
            await process.wait()
        self.processes.clear()

    async def stop(self, *, signals: int = 1) -> list[int]:
        """Ask every process to end, so many times, and return their exit codes; more than ten seconds are a failure."""
        for _ in range(signals):
            for process in self.processes:
                # It may be gone before the second signal.
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.05)
        async with asyncio.timeout(STOP_SECONDS):
            codes = [await process.wait() for process in self.processes]
        self.processes.clear()
        return codes
