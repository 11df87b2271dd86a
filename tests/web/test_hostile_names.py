"""Whatever a repository, a branch, a workflow or a token is called, a page stays the page that it is."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.access import TokenLine
from bot.access.audit import AuditLine
from bot.store.queries import Scope
from bot.store.queries.coverage import Coverage, Hole, LastRun
from bot.store.queries.installations import SeenInstallation
from bot.store.views import Job, LinkedPullRequest, RepositorySettings, Run, RunDetails, RunPage, Step
from bot.web.health import Readiness
from bot.web.pages.rendering import render
from tests.web.rooms import a_run
from tests.web.wellformed import Structure

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
SCOPE = Scope(1, "octo")
BREAKERS = (
    '"><script>alert(1)</script>',
    "'\"`<!--",
    "</td></table></main>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp;",
)


@dataclass
class Guest:
    """What a template sees of somebody who visits."""

    login: str = "mona"
    session: bool = True
    csrf_token: str = "0" * 64


def _run(name: str) -> Run:
    names = ("repo_full_name", "workflow_name", "workflow_path", "display_title", "event", "conclusion", "head_branch")
    more = ("head_sha", "actor_login", "triggering_actor_login", "head_repo_full_name")
    named: dict[str, Any] = dict.fromkeys(names + more, name) | {"triggering_actor_login": f"not {name}"}
    return a_run(**named, html_url=name, pull_requests=[LinkedPullRequest(number=3, head_sha=name, base_ref=name)])


def _front(name: str) -> str:
    seen = [_installation(name, is_suspended=False), _installation(name, is_suspended=True)]
    return _page("front.html", teams=[seen], readiness=Readiness(ready=True, checks=[]))


def _installation(name: str, *, is_suspended: bool) -> SeenInstallation:
    return SeenInstallation(
        installation_id=7,
        account_login=name,
        account_type=None,
        state="active",
        is_suspended=is_suspended,
        created_at=NOW,
        last_delivery_at=None,
        silent_since=None,
        team_id=1,
        team="octo",
        team_name=name,
    )


def _team(name: str) -> str:
    holes = [
        Hole(kind="failed", since=NOW, until=NOW, error=name),
        Hole(kind="gap", since=NOW, until=NOW),
        Hole(kind="missed", since=NOW, deliveries=2),
        Hole(kind="silent", since=NOW),
        Hole(kind="fetching"),
        Hole(kind="not_asked"),
    ]
    repository = Coverage(
        repository_id=9,
        full_name=name,
        private=True,
        archived=True,
        html_url=name,
        last_run=LastRun(7, name, None, name, name, NOW),
        whole_since=NOW,
        oldest_run_at=NOW,
        holes=holes,
    )
    return _page("team.html", installations=[_installation(name, is_suspended=False)], repositories=[repository])


def _runs(name: str) -> str:
    asked = dict.fromkeys(("repo_full_name", "workflow", "branch", "event", "actor", "status", "conclusion"), name)
    return _page(
        "team_runs.html",
        page=RunPage(runs=[_run(name)], total=1, total_is_exact=True, next_cursor=None),
        asked=asked | {"cursor": None},
        is_narrowed=True,
        following="",
        first="",
        statuses=("queued",),
        conclusions=("success",),
    )


def _one_run(name: str) -> str:
    step = Step(number=1, name=name, status="completed", conclusion=name, started_at=NOW, completed_at=NOW)
    facts: dict[str, Any] = dict.fromkeys(Job.__struct_fields__)
    job = Job(
        **facts
        | {"job_id": 5, "run_id": 7, "name": name, "status": name, "labels": [name], "steps": [step]}
        | {"html_url": name}
    )
    details = RunDetails(run=_run(name), attempts=[_run(name), _run(name)], jobs=[job], jobs_pending=False)
    return _page("team_run.html", details=details, run=details.run, server_url="https://github.example")


def _tokens(name: str) -> str:
    token = TokenLine(3, "octo", name, "rlt_abc", NOW, None, None, None, 1)
    return _page("team_tokens.html", tokens=[token], operators=[token], now=NOW, days=(7, 30))


def _new_token(name: str) -> str:
    return _page("team_token.html", token="rlt_abc", name=name, days=7, address="https://ledger.example")


def _settings(name: str) -> str:
    kept = RepositorySettings(repository_id=9, repo_full_name=name)
    return _page("team_settings.html", own=[kept], others=[kept], saved=9)


def _audit(name: str) -> str:
    return _page("team_audit.html", entries=[AuditLine(NOW, "token", name, name, name, {name: name, f"{name}2": True})])


def _page(template: str, **values: Any) -> str:
    return render(template, visit=Guest(), scope=SCOPE, **values)


PAGES = (_front, _team, _runs, _one_run, _tokens, _new_token, _settings, _audit)


@pytest.mark.parametrize("page", PAGES)
@example(BREAKERS[0])
@example(BREAKERS[1])
@example(BREAKERS[2])
@example(BREAKERS[3])
@example(BREAKERS[4])
@example("javascript:alert(1)")
@example('https:x" onclick="alert(1)')
@given(name=st.text(min_size=1))
@settings(max_examples=40)
def test_a_name_changes_the_words_and_nothing_else(page: Any, name: str) -> None:
    plain, named = Structure(page("plain")), Structure(page(name))
    assert named.elements == plain.elements
    # Where the page leads is still here, or the GitHub that the settings name.
    assert [_place(link) for link in named.links] == [_place(link) for link in plain.links]


def _place(link: str) -> tuple[str, str, str]:
    parts = urlsplit(link)
    return parts.scheme, parts.netloc, parts.path if not parts.netloc else ""


@pytest.mark.parametrize(
    "url", ["https://github.com/x", "http://ghe.example/x", "JavaScript:alert(1)", "data:text/html,x"]
)
def test_only_addresses_of_the_web_become_links(url: str) -> None:
    assert (url in Structure(_one_run(url)).links) == url.startswith("http")


@pytest.mark.parametrize("page", PAGES)
def test_a_name_is_shown_as_it_is(page: Any) -> None:
    for name in BREAKERS:
        assert " ".join(name.split()) in Structure(page(name)).text


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_used_by_everybody(page: Any) -> None:
    structure = Structure(page("plain"))
    assert structure.count("h1") == structure.count("main") == 1
    assert structure.count("caption") == structure.count("table")
    assert all("scope" in attributes for tag, attributes in structure.elements if tag == "th")
    assert structure.links.index("#content") < structure.links.index("/")
    # Whatever is filled in has a label of its own; nothing runs, and nothing is styled, in the page itself.
    assert set(structure.fields) <= set(structure.labelled)
    assert len(set(structure.ids)) == len(structure.ids)
    inside = {name for _, attributes in structure.elements for name in attributes if name.startswith("on")}
    assert (structure.count("script"), structure.count("style"), inside) == (0, 0, set())
    assert not any("style" in attributes for _, attributes in structure.elements)
