"""`sslmode=require`, as hosts give it: a gate before PostgreSQL that speaks TLS under a certificate nobody has signed.

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.app import prepare_database
from bot.errors import DatabaseUnavailable
from bot.settings import load_settings
from bot.store import connected

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def _context(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "database")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    valid = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "gate.pem"
    path.write_bytes(secret + valid.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


@dataclass
class Gate:
    """Lets in whoever speaks TLS, and counts them."""

    port: int
    context: ssl.SSLContext
    let_in: int = 0
    turned_away: int = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                self.turned_away += 1
                return
            writer.write(b"S")
            await writer.start_tls(self.context)
            self.let_in += 1
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
            with contextlib.closing(server_writer):
                ways = {
                    asyncio.create_task(_pump(reader, server_writer)),
                    asyncio.create_task(_pump(server_reader, writer)),
                }
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()
                await asyncio.wait(ways)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def gated(url: str, folder: Path) -> AsyncIterator[tuple[Gate, str]]:
    """Give the gate, and the URL of the database behind it."""
    parts = urlsplit(url)
    assert parts.port is not None
    gate = Gate(parts.port, _context(folder))
    async with await asyncio.start_server(gate.take, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        yield gate, url.replace(f":{parts.port}/", f":{port}/")


async def test_the_schema_is_made_and_used_over_tls(postgres_url: str, tmp_path: Path) -> None:
    async with gated(postgres_url, tmp_path) as (gate, url):
        required = f"{url}?sslmode=require"
        await prepare_database(load_settings(database_url=required), migrating=True)
        async with connected(required) as database:
            assert await database.fetch("SELECT count(*) AS number FROM team") == [{"number": 0}]
            assert await database.reader.fetch("SELECT 1 AS one") == [{"one": 1}]
        assert gate.let_in >= 3
        assert gate.turned_away == 0


@pytest.mark.parametrize("mode", ["verify-full", "disable"])
async def test_a_certificate_that_nobody_signed_is_not_enough_for_more(
    mode: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = ssl.get_default_verify_paths().cafile
    assert certificates is not None
    monkeypatch.setenv("PGSSLROOTCERT", certificates)
    async with gated(postgres_url, tmp_path) as (gate, url):
        with pytest.raises(DatabaseUnavailable):
            async with connected(f"{url}?sslmode={mode}"):
                pytest.fail("it was connected")
        assert (gate.turned_away > 0) == (mode == "disable")
