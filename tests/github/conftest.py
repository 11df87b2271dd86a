"""A client of the scripted server, on a clock that stands still."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bot.clock import ManualClock
from bot.github import Client, GitHub
from tests.github.scripted import APP_ID, ScriptedGitHub


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def private_key(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def scripted(clock: ManualClock, key: rsa.RSAPrivateKey) -> AsyncIterator[ScriptedGitHub]:
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    server = ScriptedGitHub(clock, public)
    await server.server.start_server(access_log=None)
    yield server
    await server.server.close()
    assert server.left_over() == []
    assert server.unforeseen == []


@pytest.fixture
async def github(scripted: ScriptedGitHub, clock: ManualClock, private_key: str) -> AsyncIterator[GitHub]:
    timeout = aiohttp.ClientTimeout(total=2, sock_connect=1, sock_read=0.5)
    async with GitHub(APP_ID, private_key, api_url=scripted.url, clock=clock, timeout=timeout) as github:
        yield github


@pytest.fixture
def client(github: GitHub) -> Client:
    return github.installation(7)
