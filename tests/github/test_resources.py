"""Each function asks at the path that GitHub documents, as the descriptions that githubkit is made from have it."""

import inspect
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import githubkit_schemas
import pytest

from bot.github import GitHub, apps, checks, installations, jobs, pulls, repositories, runs
from bot.github.connection import Connection
from bot.github.errors import BadRequest, GitHubUnavailable, NotFound
from tests.github.scripted import Answer, ScriptedGitHub, patiently

REPOSITORY = "octo/widgets"
HOME = "/repos/octo/widgets"
Ask = Callable[[GitHub], Any]

REQUESTS: list[tuple[str, str, str, Ask]] = [
    ("GET", HOME, "{}", lambda github: repositories.get_repository(github.installation(7), REPOSITORY)),
    (
        "GET",
        f"{HOME}/collaborators/mona/permission",
        "{}",
        lambda github: repositories.get_permission(github.installation(7), REPOSITORY, "mona"),
    ),
    ("GET", f"{HOME}/actions/runs", "runs", lambda github: runs.list_runs(github.installation(7), REPOSITORY)),
    ("GET", f"{HOME}/actions/runs/1", "{}", lambda github: runs.get_run(github.installation(7), REPOSITORY, 1)),
    (
        "GET",
        f"{HOME}/actions/runs/1/attempts/2",
        "{}",
        lambda github: runs.get_attempt(github.installation(7), REPOSITORY, 1, 2),
    ),
    (
        "GET",
        f"{HOME}/actions/runs/1/jobs",
        "jobs",
        lambda github: runs.job_pages(github.installation(7), REPOSITORY, 1, "all"),
    ),
    (
        "POST",
        f"{HOME}/actions/runs/1/rerun-failed-jobs",
        "{}",
        lambda github: runs.rerun_failed_jobs(github.installation(7), REPOSITORY, 1),
    ),
    (
        "POST",
        f"{HOME}/check-runs",
        "{}",
        lambda github: checks.create_check_run(github.installation(7), REPOSITORY, {"name": "x"}),
    ),
    (
        "PATCH",
        f"{HOME}/check-runs/4",
        "{}",
        lambda github: checks.update_check_run(github.installation(7), REPOSITORY, 4, {"status": "completed"}),
    ),
    (
        "GET",
        f"{HOME}/check-runs/4",
        "{}",
        lambda github: checks.get_check_run(github.installation(7), REPOSITORY, 4),
    ),
    (
        "GET",
        f"{HOME}/check-runs/4/annotations",
        "[]",
        lambda github: checks.annotation_pages(github.installation(7), REPOSITORY, 4),
    ),
    (
        "GET",
        f"{HOME}/commits/a%2Fb/check-runs",
        "check_runs",
        lambda github: checks.check_run_pages(github.installation(7), REPOSITORY, "a/b", app_id=4711),
    ),
    ("GET", f"{HOME}/pulls", "[]", lambda github: pulls.list_pull_requests(github.installation(7), REPOSITORY)),
    ("GET", f"{HOME}/pulls/5", "{}", lambda github: pulls.get_pull_request(github.installation(7), REPOSITORY, 5)),
    (
        "GET",
        f"{HOME}/commits/c0ffee/pulls",
        "[]",
        lambda github: pulls.pull_request_pages(github.installation(7), REPOSITORY, "c0ffee"),
    ),
    (
        "GET",
        f"{HOME}/issues/5/comments",
        "[]",
        lambda github: pulls.comment_pages(github.installation(7), REPOSITORY, 5),
    ),
    (
        "POST",
        f"{HOME}/issues/5/comments",
        "{}",
        lambda github: pulls.create_comment(github.installation(7), REPOSITORY, 5, "hello"),
    ),
    (
        "GET",
        f"{HOME}/issues/comments/6",
        "{}",
        lambda github: pulls.get_comment(github.installation(7), REPOSITORY, 6),
    ),
    (
        "PATCH",
        f"{HOME}/issues/comments/6",
        "{}",
        lambda github: pulls.update_comment(github.installation(7), REPOSITORY, 6, "hello"),
    ),
    (
        "GET",
        "/installation/repositories",
        "repos",
        lambda github: installations.repository_pages(github.installation(7)),
    ),
    ("GET", "/app/installations", "[]", lambda github: installations.installation_pages(github.app)),
    ("GET", "/app/installations/7", "{}", lambda github: installations.get_installation(github.app, 7)),
    ("GET", "/app", "{}", lambda github: apps.get_app(github.app)),
    ("GET", "/app/hook/config", "{}", lambda github: apps.get_hook_config(github.app)),
    ("GET", "/app/hook/deliveries", "[]", lambda github: apps.list_deliveries(github.app, "v1_8")),
    ("POST", "/app/hook/deliveries/8/attempts", "{}", lambda github: apps.redeliver(github.app, 8)),
    ("POST", "/app-manifests/c0de/conversions", "{}", lambda github: apps.convert_manifest(github.anonymous, "c0de")),
]
BODIES: dict[str, Any] = {
    "{}": {"id": 1},
    "[]": [{"id": 1}],
    "runs": {"total_count": 1, "workflow_runs": [{"id": 1}]},
    "jobs": {"total_count": 1, "jobs": [{"id": 1}]},
    "check_runs": {"total_count": 1, "check_runs": [{"id": 1}]},
    "repos": {"total_count": 1, "repositories": [{"id": 1}]},
}


def documented_paths() -> set[str]:
    """Return every path of GitHub's REST API, each variable as `*`."""
    found = set()
    for source in Path(githubkit_schemas.__path__[0]).glob("v*/rest/*.py"):
        for path in re.findall(r'url = f?"(/[^"]*)"', source.read_text()):
            found.add(re.sub(r"\{\w+\}", "*", path))
    return found


def generalised(path: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(re.escape(part) for part in path.split("*")))


@pytest.mark.parametrize(
    ("method", "path", "body", "ask"), REQUESTS, ids=[f"{method} {path}" for method, path, *_ in REQUESTS]
)
async def test_it_asks_there_and_returns_what_is_there(
    scripted: ScriptedGitHub, github: GitHub, method: str, path: str, body: str, ask: Ask
) -> None:
    scripted.script(method, path, Answer(201 if method == "POST" else 200, BODIES[body]))
    asked = ask(github)
    if isinstance(asked, AsyncIterator):
        answers = await patiently(scripted, collected(asked))
    else:
        answers = [await patiently(scripted, asked)]
    assert [answer.data for answer in answers] == [{"id": 1} if body == "{}" else [{"id": 1}]]
    assert answers[0].total == (1 if "total_count" in BODIES[body] else None)


async def collected(pages: AsyncIterator[Any]) -> list[Any]:
    return [page async for page in pages]


def test_every_path_is_documented() -> None:
    documented = [generalised(path) for path in documented_paths()]
    assert len(documented) > 500
    for path in {unquote(path).replace("a/b", "ref") for _, path, _, _ in REQUESTS}:
        assert any(pattern.fullmatch(path) for pattern in documented), path
    assert any(pattern.fullmatch("/app/installations/7/access_tokens") for pattern in documented)
    assert not any(pattern.fullmatch("/app/installations/7/tokens") for pattern in documented)


def test_every_function_of_a_resource_is_tried() -> None:
    rooms = (apps, checks, installations, pulls, repositories, runs)
    functions = {
        name
        for room in rooms
        for name, value in inspect.getmembers(room, inspect.isfunction)
        if value.__module__ == room.__name__ and not name.startswith("_")
    }
    source = Path(__file__).read_text()
    assert {name for name in functions if f".{name}(" not in source} == {"named", "window"}


async def test_queries_say_what_was_asked_for(scripted: ScriptedGitHub, github: GitHub) -> None:
    client = github.installation(7)
    scripted.script("GET", f"{HOME}/actions/runs/1/jobs", Answer(body={"jobs": []}))
    scripted.script("GET", f"{HOME}/commits/main/check-runs", Answer(body={"check_runs": []}))
    scripted.script("GET", "/app/hook/deliveries", Answer(body=[]))
    scripted.script("GET", f"{HOME}/pulls", Answer(body=[]))
    await collected(runs.job_pages(client, REPOSITORY, 1, "all"))
    await collected(checks.check_run_pages(client, REPOSITORY, "main", check_name="Failures: all", app_id=4711))
    await apps.list_deliveries(github.app, "v1_8", per_page=10)
    await pulls.list_pull_requests(client, REPOSITORY, page=2)
    assert [call.query for call in scripted.calls()] == [
        {"filter": "all", "per_page": "100"},
        {"check_name": "Failures: all", "app_id": "4711", "per_page": "100"},
        {"per_page": "10", "cursor": "v1_8"},
        {"state": "all", "sort": "updated", "direction": "desc", "per_page": "100", "page": "2"},
    ]


# Logs

LOGS = f"{HOME}/actions/jobs/3/logs"


async def read(github: GitHub) -> bytes:
    async with jobs.open_log(github.installation(7), REPOSITORY, 3) as log:
        return b"".join([chunk async for chunk in log])


@pytest.fixture
def storage(scripted: ScriptedGitHub) -> str:
    """Give an address on another host, which is the same server under another name."""
    return scripted.url.replace("127.0.0.1", "localhost") + "/storage/3?sig=c0ffee%2B"


async def test_a_log_comes_from_another_host_that_is_given_no_token(
    scripted: ScriptedGitHub, github: GitHub, storage: str
) -> None:
    scripted.script("GET", LOGS, Answer(302, {}, {"Location": storage}))
    scripted.script("GET", "/storage/3", Answer(200, b"line\n" * 50_000, {"Content-Type": "text/plain"}))
    assert await read(github) == b"line\n" * 50_000
    fetched = scripted.calls("/storage/3")[0]
    assert fetched.headers["host"].startswith("localhost")
    assert fetched.query == {"sig": "c0ffee+"}
    assert "authorization" not in fetched.headers
    assert not any("ghs_" in value for value in fetched.headers.values())


async def test_a_log_that_is_not_there_is_not_found(scripted: ScriptedGitHub, github: GitHub, storage: str) -> None:
    scripted.script("GET", LOGS, Answer(404, {"message": "Not Found"}), Answer(302, {}, {"Location": storage}))
    scripted.script("GET", "/storage/3", Answer(404, b""))
    for _ in range(2):
        with pytest.raises(NotFound):
            await read(github)


@pytest.mark.parametrize("trouble", [Answer(500), Answer(cut=True)], ids=str)
async def test_a_log_that_breaks_off_says_so(
    scripted: ScriptedGitHub, github: GitHub, storage: str, trouble: Answer
) -> None:
    scripted.script("GET", LOGS, Answer(302, {}, {"Location": storage}))
    scripted.script("GET", "/storage/3", trouble)
    with pytest.raises(GitHubUnavailable):
        await read(github)


async def test_a_log_cut_in_the_middle_says_so(scripted: ScriptedGitHub, github: GitHub, storage: str) -> None:
    scripted.script("GET", LOGS, Answer(302, {}, {"Location": storage}))
    broken = Answer(200, b"not gzip at all", {"Content-Encoding": "gzip"})
    scripted.script("GET", "/storage/3", broken)
    with pytest.raises(GitHubUnavailable):
        await read(github)


async def test_a_log_without_an_address_is_an_error(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.script("GET", LOGS, Answer(302, {}), Answer(200, {}))
    for _ in range(2):
        with pytest.raises(GitHubUnavailable, match="where to find"):
            await read(github)


async def test_a_log_is_fetched_over_http_only(scripted: ScriptedGitHub, github: GitHub) -> None:
    scripted.script("GET", LOGS, Answer(302, {}, {"Location": "file:///etc/passwd"}))
    with pytest.raises(BadRequest, match="safely"):
        await read(github)


def test_a_log_is_not_fetched_in_the_open_when_the_api_is_not() -> None:
    api = Connection("https://api.github.com")
    assert api.is_fit_for_downloads("https://storage.example.org/3")
    assert not api.is_fit_for_downloads("http://storage.example.org/3")
    assert not api.is_fit_for_downloads("/3")
