"""No token, key or signature in a log line of any level, an error, what hangs on to an error, or a metric."""

import asyncio
import io
import logging
import pickle
import re
import traceback
from collections.abc import Iterator

import pytest

from bot import metrics
from bot.github import GitHub, apps, jobs, pulls, runs
from bot.github.auth import InstallationToken, Secret
from bot.github.errors import GitHubError, GitHubUnavailable
from tests.github.scripted import APP_ID, Answer, ScriptedGitHub, patiently

REPOSITORY = "octo/widgets"
RUN = "/repos/octo/widgets/actions/runs/1"
# Tracebacks show the lines of this file, so it must not spell them out where it uses them.
CODE = "c0de-canary"
WEBHOOK_SECRET = "whsec-canary"
SECRETS = re.compile(rf"ghs_canary|eyJ|PRIVATE KEY|{CODE}|{WEBHOOK_SECRET}")


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """Catch every line of every logger, as it is before any redactor sees it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(message)s %(exc_info)s"))
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def all_texts(error: BaseException) -> str:
    """Return whatever may be printed of an error: itself, its traceback, its attributes, and all that led to it."""
    told, met, todo = [], set[int](), [error]
    while todo:
        each = todo.pop()
        if id(each) in met:
            continue
        met.add(id(each))
        told += [str(each), repr(each), repr(each.args), repr(vars(each)), *getattr(each, "__notes__", [])]
        todo += [one for one in (each.__cause__, each.__context__) if one is not None]
    return "\n".join([*told, *traceback.format_exception(error)])


def echo(request: str) -> dict[str, object]:
    """Return an answer of a server that says back what it was told."""
    return {"message": f"Bad: {request}", "errors": [{"field": request, "code": "x"}, request]}


FAULTS = [
    Answer(401, echo("Bearer ghs_canary0000xxxx")),
    Answer(403, echo("token ghs_canary0000"), {"X-Accepted-GitHub-Permissions": "ghs_canary0000=write"}),
    Answer(404, echo("ghs_canary0000")),
    Answer(422, echo("Bearer eyJhbGciOi.eyJpc3M.c2ln")),
    Answer(500, echo("ghs_canary0000")),
    Answer(429, {}, {"Retry-After": "5"}),
    Answer(302, {}, {"Location": "http://localhost:9/ghs_canary0000"}),
    Answer(200, b"ghs_canary0000", {"Content-Type": "text/html"}),
    Answer(200, b"{ghs_canary0000"),
    Answer(200, b"x", {"Content-Encoding": "gzip"}),
    Answer(cut=True),
]


@pytest.mark.parametrize("fault", FAULTS, ids=range(len(FAULTS)))
async def test_no_fault_brings_a_secret_to_light(
    scripted: ScriptedGitHub, github: GitHub, everything_logged: io.StringIO, fault: Answer
) -> None:
    scripted.always("GET", RUN, fault)
    scripted.always("GET", "/app", fault)
    scripted.always("GET", f"/repos/{REPOSITORY}/actions/jobs/3/logs", fault)
    client = github.installation(7)

    async def log() -> None:
        async with jobs.open_log(client, REPOSITORY, 3):
            pass

    for work in (runs.get_run(client, REPOSITORY, 1), apps.get_app(github.app), log()):
        with pytest.raises(GitHubError) as caught:
            await patiently(scripted, work)
        assert SECRETS.search(all_texts(caught.value)) is None
    assert scripted.tokens
    assert SECRETS.search(everything_logged.getvalue()) is None
    assert SECRETS.search(metrics.render([])[0].decode()) is None


async def test_a_malformed_answer_does_not_bring_the_request_along(
    scripted: ScriptedGitHub, private_key: str, everything_logged: io.StringIO
) -> None:
    """What is no HTTP becomes an exception of aiohttp's that holds the request with its headers."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 nonsense\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, GitHub(APP_ID, private_key, api_url=f"http://127.0.0.1:{port}", clock=scripted.clock) as github:
        with pytest.raises(GitHubUnavailable, match=r"ClientResponseError|BadStatusLine|BadHttpMessage") as caught:
            await patiently(scripted, apps.get_app(github.app))
    assert SECRETS.search(all_texts(caught.value)) is None
    assert SECRETS.search(everything_logged.getvalue()) is None


async def test_the_code_of_a_manifest_is_a_secret_and_so_is_what_it_buys(
    scripted: ScriptedGitHub, github: GitHub, everything_logged: io.StringIO
) -> None:
    path = f"/app-manifests/{CODE}/conversions"
    app = {"id": 1, "pem": "-----BEGIN RSA PRIVATE KEY-----", "webhook_secret": WEBHOOK_SECRET}
    scripted.script("POST", path, Answer(201, app), Answer(404, {"message": "Not Found"}))
    answer = await apps.convert_manifest(github.anonymous, CODE)
    assert answer.data == app
    assert "authorization" not in scripted.calls(path)[0].headers
    with pytest.raises(GitHubError) as caught:
        await patiently(scripted, apps.convert_manifest(github.anonymous, CODE))
    assert SECRETS.search(all_texts(caught.value)) is None
    assert SECRETS.search(everything_logged.getvalue()) is None
    assert SECRETS.search(metrics.render([])[0].decode()) is None


async def test_what_holds_a_secret_does_not_show_it(scripted: ScriptedGitHub, github: GitHub) -> None:
    secret = Secret("ghs_canary", 1.0)
    client = github.installation(7)
    holders = (secret, InstallationToken(secret, 2.0), client, client._means, github, vars(github))
    assert SECRETS.search("\n".join(map(repr, holders))) is None


async def test_a_body_that_is_refused_is_not_told(scripted: ScriptedGitHub, github: GitHub) -> None:
    path = f"/repos/{REPOSITORY}/issues/5/comments"
    scripted.script("POST", path, Answer(422, {"message": "Validation Failed"}))
    with pytest.raises(GitHubError) as caught:
        await pulls.create_comment(github.installation(7), REPOSITORY, 5, WEBHOOK_SECRET)
    assert SECRETS.search(all_texts(caught.value)) is None


async def test_errors_survive_being_sent_to_another_process(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.script("GET", RUN, Answer(404, {}))
    with pytest.raises(GitHubError) as caught:
        await runs.get_run(github.installation(7), REPOSITORY, 1)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
