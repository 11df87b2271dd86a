"""What is no HTTP gets a problem that quotes nothing of it, with our headers; what is goes on as ever."""

import asyncio
import json
import logging

import pytest
from pydantic import SecretStr

from bot.app import serving
from bot.clock import Clock
from bot.settings import Settings
from bot.web.hardening import ALWAYS
from tests.databases import quick

CANARY = "canary-5f1c"
BROKEN = [
    f"{CANARY}\r\n\r\n",
    f"GET / {CANARY}/1.1\r\n\r\n",
    f"GET /{'a' * 9000}{CANARY} HTTP/1.1\r\nHost: x\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\n{CANARY}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\n{CANARY}: a\0b\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {CANARY}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nX: {'a' * 70_000}{CANARY}\r\n\r\n",
]


async def answered(address: str, sent: str) -> tuple[str, dict[str, str], str]:
    """Return the status line, the headers and the body of what comes back."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent.encode())
    whole = (await reader.read()).decode()
    writer.close()
    head, _, body = whole.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    return first, dict(line.split(": ", 1) for line in lines), body


async def test_what_is_no_http_is_answered_by_a_problem(migrated_sqlite: str, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(_env_file=None, database_url=SecretStr(quick(migrated_sqlite)), host="127.0.0.1", port=0)
    with caplog.at_level(logging.INFO):
        async with serving(settings, Clock(), with_worker=False) as address:
            for sent in BROKEN:
                status, headers, body = await answered(address, sent)
                assert status.split(" ", 1)[1] == "400 Bad Request", sent[:60]
                assert headers["Content-Type"] == "application/problem+json"
                assert json.loads(body)["detail"] == "The request is malformed."
                assert CANARY not in body + str(headers)
                assert ALWAYS.items() <= headers.items()
            status, headers, body = await answered(
                address, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
    assert (status, headers["Server"]) == ("HTTP/1.1 200 OK", "runledger")
    assert CANARY not in caplog.text
