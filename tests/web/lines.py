"""Connections on which one says what one likes, to the byte, and what is said there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.web.rooms import WEBHOOK, delivery_headers


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def hear(self) -> tuple[str, dict[str, str], bytes]:
        """Return the status line, the headers and the body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        return first, headers, await self.reader.readexactly(int(headers["content-length"]))

    async def ask(self, *parts: bytes) -> tuple[str, dict[str, str], bytes]:
        await self.say(*parts)
        return await self.hear()


async def open_line(host: str, port: int) -> Line:
    return Line(*await asyncio.open_connection(host, port))


@asynccontextmanager
async def open_lines(count: int, host: str, port: int) -> AsyncIterator[list[Line]]:
    """Open so many, and close them in the end."""
    lines = [await open_line(host, port) for _ in range(count)]
    try:
        yield lines
    finally:
        for line in lines:
            line.writer.close()
        await asyncio.gather(*(line.writer.wait_closed() for line in lines))


def post(body: bytes, *lines: str, version: str = "1.1", **changes: str | None) -> bytes:
    """Return a signed delivery as GitHub posts it; `changes` are those of `delivery_headers`."""
    said = [f"{name}: {value}" for name, value in delivery_headers(body, **changes).items()]
    head = [f"POST {WEBHOOK} HTTP/{version}", "Host: localhost", f"Content-Length: {len(body)}", *said, *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()
