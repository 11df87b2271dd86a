"""Logs: secrets never come out, lines can't be forged, JSON is JSON, and lines say what they are about."""

import asyncio
import io
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot import logs
from bot.logs import REDACTED, LineFormatter, bound
from bot.settings import Settings
from tests.durability.books import until_empty
from tests.durability.posts import Post
from tests.durability.processes import ROOT, Deployment
from tests.inbox.deliveries import run_body

PEM = (
    rsa.generate_private_key(65537, 2048)
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
)
# A key that no setting holds.
OTHER_PEM = "\n".join(line if line.startswith("-----") else line.swapcase() for line in PEM.splitlines())
# Settings hold these.
TOLD = {
    "webhook_secret": "canary-webhook 'quoted\" and \\ slashed",
    "webhook_secret_previous": "canary-previous-ümläut",
    "github_client_secret": "canary-client-secret",
    "secret_key": "canary-secret-key",
    "metrics_token": "canary-metrics-token",
    "private_key": PEM,
    "database_url": "postgres://octocat:canary-p%40ss@127.0.0.1/runledger",
}
# These are known by their shape alone.
SHAPES = {
    "installation token": "ghs_canary1." + "aZ09-_" * 80,
    "personal token": "ghp_canary2aZ09",
    "refresh token": "ghr_canary3aZ09",
    "user token": "ghu_canary4aZ09",
    "OAuth token": "gho_canary5aZ09",
    "fine-grained token": "github_pat_canary6_aZ09",
    "our token": "rlt_canary7-aZ09_",
    "JWT": "eyJjYW5hcnkiOjh9.eyJjYW5hcnkiOjl9.c2lnbmF0dXJlLWNhbmFyeQ",
}
HIDDEN = {
    "Bearer": ("Authorization: Bearer canary=+/credentials", "canary=+/credentials"),
    "bearer": ("authorization: bearer canary.credentials", "canary.credentials"),
    "BEARER": ("AUTHORIZATION: BEARER canary.credentials", "canary.credentials"),
    "quoted Bearer": ('{"Authorization": "Bearer canary-quoted"}', "canary-quoted"),
    "URL password": ("at https://octocat:canary-pass@example.org/x", "canary-pass"),
    "another URL's": ("from postgresql://u:canary-db@[::1]:5432/x", "canary-db"),
    "key": (f"the key {OTHER_PEM} is", OTHER_PEM.splitlines()[3]),
    "key without an end": (OTHER_PEM[:300], OTHER_PEM.splitlines()[2]),
    "a line of the key": (PEM.splitlines()[5], PEM.splitlines()[5]),
    "the database's password": ("password is 'canary-p%40ss'", "canary-p%40ss"),
    "the database's password decoded": ("password is 'canary-p@ss'", "canary-p@ss"),
    **{name: (f"<{value}>", value) for name, value in TOLD.items()},
    **{f"{name} as repr": (f"got {value!r}", repr(value)[1:-1]) for name, value in TOLD.items()},
    **{name: (f'with "{value}" in it', value) for name, value in SHAPES.items()},
}


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    chatty = {name: logging.getLogger(name).level for name in ("tortoise", "aiosqlite", "asyncio", "aiohttp.access")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in chatty.items():
        logging.getLogger(name).setLevel(before)


class Out:
    """What came out, as text and, in JSON, as objects."""

    def __init__(self, form: Any, level: str = "debug") -> None:
        self.form = form
        self.stream = io.StringIO()
        settings = Settings(_env_file=None, **TOLD)  # type: ignore[arg-type]
        logs.configure(level, form, settings.secrets(), self.stream)

    def alone(self) -> None:
        """Leave out the handlers that pytest adds: they raise where the logging module only complains."""
        root = logging.getLogger()
        root.handlers[:] = [each for each in root.handlers if isinstance(each.formatter, LineFormatter)]

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def objects(self) -> list[dict[str, Any]]:
        # Readers split where JSON's own newlines are; nothing else may end a line.
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture(params=["json", "text"])
def out(request: pytest.FixtureRequest) -> Out:
    return Out(request.param)


log = logging.getLogger("bot.test")


def _raise_and_log(text: str) -> None:
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError({"nested": text}) from error
    except RuntimeError:
        log.exception("it failed")


class _Opaque:
    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text


WAYS: dict[str, Callable[[str], None]] = {
    "message": log.error,
    "argument": lambda text: log.warning("got %s", text),
    "argument as repr": lambda text: log.warning("got %r", [text]),
    "mapping": lambda text: log.info("got %(it)s", {"it": text}),
    "wrong arguments": lambda text: log.info("got %d", text),
    "missing arguments": lambda text: log.info("got %s and %s", text),  # noqa: PLE1206
    "extra": lambda text: log.debug("extra", extra={"told": text}),
    "nested extra": lambda text: log.debug("extra", extra={"told": {text: [text, {"deep": (text,)}]}}),
    "object": lambda text: log.info("object", extra={"told": _Opaque(text), "raised": ValueError(text)}),
    "bytes": lambda text: log.info("bytes", extra={"told": text.encode()}),
    "traceback": _raise_and_log,
}


@pytest.mark.parametrize("way", WAYS)
def test_no_secret_comes_out(way: str, out: Out, capsys: pytest.CaptureFixture[str]) -> None:
    out.alone()
    for text, _ in HIDDEN.values():
        WAYS[way](text)
    written = out.text + "".join(capsys.readouterr())
    for _, secret in HIDDEN.values():
        assert secret not in written
        assert json.dumps(secret)[1:-1] not in written
        assert repr(secret)[1:-1] not in written
    assert "canary" not in written
    assert written.count(REDACTED) >= len(HIDDEN)
    if out.form == "json":
        assert len(out.objects) == len(HIDDEN)


def test_harmless_words_stay(out: Out) -> None:
    log.info("run 7 of octo/hello at https://github.com:443/octo took 3 s; ghs is a word", extra={"event": "push"})
    assert "run 7 of octo/hello at https://github.com:443/octo took 3 s; ghs is a word" in out.text
    assert REDACTED not in out.text


def test_json_lines_are_whole_objects() -> None:
    out = Out("json")
    strange = 'quotes " and \\ and \x00 \x1b[31m and \ud800 and \u2028 and \x85 and ü'
    log.info(strange, extra={"number": 7, "nothing": None, "flag": True, "share": 0.5, "several": ["a", 1]})
    _raise_and_log("no luck")
    first, second = out.objects
    assert first["message"] == strange
    assert (first["level"], first["logger"]) == ("info", "bot.test")
    assert first["time"].endswith("+00:00")
    assert [first[name] for name in ("number", "nothing", "flag", "share", "several")] == [7, None, True, 0.5, ["a", 1]]
    assert second["exception"].startswith("Traceback")
    assert "ValueError: no luck" in second["exception"]


FORGED = "2026-01-05T09:00:00.000+00:00 error   all is lost"


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_nothing_forges_a_line(end: str, out: Out) -> None:
    forging = f"harmless{end}{FORGED}{end}" + '{"level": "error", "message": "all is lost"}'
    log.info(forging)
    log.info("one %s", forging)
    log.info("extra", extra={"told": forging})
    with bound(delivery=forging):
        log.info("bound")
    _raise_and_log(forging)
    lines = out.text.splitlines()
    assert not [line for line in lines if line.startswith((FORGED[:10], '{"level"'))]
    if out.form == "json":
        assert len(out.objects) == 5
    else:
        assert len([line for line in lines if not line.startswith("    ")]) == 5


def test_nothing_paints_on_the_terminal() -> None:
    out = Out("text")
    log.info("\x1b[2J\x1b]0;title\x07 gone\b\b\b\b")
    assert not set(out.text) & {"\x1b", "\x07", "\b"}
    assert "\\x1b[2J" in out.text


def test_lines_say_what_they_are_about(out: Out) -> None:
    with bound(delivery="guid", event="workflow_run"):
        with bound(run=7, repository=None, event="workflow_job"):
            log.info("inner", extra={"extra": 1})
        log.info("outer")
    log.info("outside")
    if out.form == "json":
        inner, outer, outside = out.objects
        assert {name: inner[name] for name in ("delivery", "event", "run", "extra")} == {
            "delivery": "guid",
            "event": "workflow_job",
            "run": 7,
            "extra": 1,
        }
        assert "repository" not in inner
        assert (outer["event"], "run" in outer) == ("workflow_run", False)
        assert not {"delivery", "event"} & set(outside)
    else:
        inner_line, outer_line, outside_line = out.text.splitlines()
        assert inner_line.endswith("info    inner delivery=guid event=workflow_job run=7 extra=1")
        assert outer_line.endswith("info    outer delivery=guid event=workflow_run")
        assert outside_line.endswith("info    outside")


async def test_tasks_do_not_mix_what_they_are_about() -> None:
    out = Out("json")

    async def tell(run: int) -> None:
        with bound(run=run):
            await asyncio.sleep(0.001 * (5 - run))
            log.info("told", extra={"own": run})

    await asyncio.gather(*(tell(run) for run in range(5)))
    assert len(out.objects) == 5
    assert all(each["run"] == each["own"] for each in out.objects)


def test_an_exception_does_not_stay_bound(out: Out) -> None:
    with pytest.raises(KeyError), bound(run=7):
        raise KeyError
    log.info("after")
    assert "run" not in out.text


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: str, expected: int) -> None:
    out = Out("json", level)
    for say in (log.debug, log.info, log.warning, log.error):
        say("told")
    assert len(out.objects) == expected


def test_statements_with_their_parameters_are_never_logged() -> None:
    out = Out("json", "debug")
    for name in ("tortoise.db_client", "aiosqlite", "asyncio", "aiohttp.access"):
        logging.getLogger(name).debug("SELECT hash FROM api_token")
    assert out.text == ""


async def test_a_running_service_lets_none_out(sqlite_url: str, tmp_path: Path) -> None:
    environment = {name.upper(): value for name, value in TOLD.items() if name != "database_url"}
    service = Deployment(sqlite_url, tmp_path, ("serve",), LOG_LEVEL="debug", **environment)
    try:
        await service.start()
        await _be_indiscreet(service.address)
        await until_empty(sqlite_url)
        assert await service.stop() == [0]
    finally:
        await service.kill()
    written = service.log.read_text()
    assert '"message": "delivery handled"' in written
    assert "a delivery is dead" in written
    for secret in (*environment.values(), *SHAPES.values(), *PEM.splitlines()[1:-1]):
        assert secret not in written
    assert "canary" not in written


def _post(guid: str, body: bytes) -> Post:
    return Post(guid, "workflow_run", body, ("workflow_run", 7, "completed", "success"))


async def _be_indiscreet(address: str) -> None:
    body = json.dumps(SHAPES).encode()
    async with aiohttp.ClientSession() as session:
        for post in (_post("told", run_body(7, display_title=json.dumps(SHAPES))), _post("malformed", body)):
            url = f"{address}/api/github/webhooks"
            async with session.post(url, data=post.body, headers=post.headers(TOLD["webhook_secret"])) as answer:
                assert answer.status == 202
        for token in (*SHAPES.values(), "canary-stranger", TOLD["metrics_token"]):
            headers = {"Authorization": f"Bearer {token}", "X-GitHub-Event": "ping", "X-GitHub-Delivery": token[:90]}
            url = f"{address}/api/integrations/github"
            for path in (f"/workflow-runs?team={token}", f"/teams?token={token}", "/workflow-runs/canary"):
                async with session.get(url + path, headers=headers) as answer:
                    assert answer.status in {400, 401, 404}
            async with session.get(f"{address}/metrics", headers=headers) as answer:
                assert answer.status == 200
            async with session.post(f"{address}/api/github/webhooks", data=body, headers=headers) as answer:
                assert answer.status in {401, 415}


def test_a_start_that_fails_lets_none_out(tmp_path: Path) -> None:
    import subprocess

    told = {"DATABASE_URL": TOLD["database_url"].replace("127.0.0.1", "127.0.0.1:1"), "WEBHOOK_SECRET": "x" * 9}
    environment = os.environ | told | {"PYTHONPATH": str(ROOT), "LOG_LEVEL": "debug"}
    command = (sys.executable, "-m", "bot", "serve", "--port", "0")
    ended = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    written = ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "canary" not in written
    assert "xxxxxxxxx" not in written


def test_what_only_begins_like_a_secret_is_read_once() -> None:
    for piece in ("eyJ", "eyJ.", "-----BEGIN ", "://a:b", "Bearer ", "x y "):
        began = time.perf_counter()
        logs.Redactor()(piece * (650_000 // len(piece)))
        assert time.perf_counter() - began < 2


@pytest.mark.parametrize("before", ["", "x", "_", "token%3D", "\\n", "\x1b[0m", "eyJ", "eyJeyJ"])
def test_a_web_token_shows_wherever_it_begins(before: str) -> None:
    told = logs.Redactor()(f"{before}{SHAPES['JWT']} eyJ eyJalone eyJghs_canary")
    assert "canary" not in told
    assert "c2lnbmF0dXJl" not in told
    assert told.endswith(f" eyJ eyJalone eyJ{REDACTED}")
