"""Which manifests become an App, and what is said of the others."""

import contextlib
import json
from typing import Any

import pytest
from githubkit_schemas.latest.models import AppPermissions
from githubkit_schemas.latest.webhooks import VALID_EVENT_NAMES
from hypothesis import given
from hypothesis import strategies as st

from bot.checks.manifest import read_manifest as read_ours
from bot.demo.github.operations.apps import slug_of
from bot.demo.github.state.manifest import InvalidManifest, Manifest, read_manifest
from bot.demo.github.state.permissions import LEVELS, SUBSCRIBABLE, events_allowed_by

GOOD: dict[str, Any] = {"name": "Ledger", "url": "https://example.com", "redirect_url": "http://127.0.0.1:8080/setup"}


def read(**changed: Any) -> Manifest:
    return read_manifest(json.dumps({**GOOD, **changed}))


def test_our_own_manifest_is_accepted_once_it_says_where_to_go() -> None:
    told = {**read_ours(), "redirect_url": "https://ledger.example/setup"}
    manifest = read_manifest(json.dumps(told))
    assert manifest.default_permissions == told["default_permissions"]
    assert list(manifest.default_events) == told["default_events"]
    assert manifest.public is False


def test_everything_that_may_be_said_is_taken_up() -> None:
    manifest = read(
        hook_attributes={"url": "http://localhost:8080/hook"},
        callback_urls=["https://ledger.example/callback"],
        setup_url="https://ledger.example/setup",
        setup_on_update=True,
        request_oauth_on_install=True,
        public=True,
        description="Remembers",
    )
    assert manifest.hook_url == "http://localhost:8080/hook"
    assert manifest.callback_urls == ("https://ledger.example/callback",)
    assert (manifest.setup_url, manifest.setup_on_update) == ("https://ledger.example/setup", True)
    assert (manifest.request_oauth_on_install, manifest.public) == (True, True)
    assert read(hook_attributes={"url": "https://a.example", "active": False}).hook_url is None
    assert read(name=None).name == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"url": None}, '"url" wasn\'t supplied.'),
        ({"redirect_url": ""}, '"redirect_url" wasn\'t supplied.'),
        ({"hook_attributes": {"active": False}}, '"url" wasn\'t supplied.'),
        ({"hook_attributes": {"url": "https://a.example", "secret": "s"}}, '"secret" is not a permitted key.'),
        ({"webhook_url": "https://a.example"}, '"webhook_url" is not a permitted key.'),
        ({"public": "yes"}, "is not a boolean"),
        ({"default_events": "push"}, "is not an array"),
        ({"name": "n" * 35}, "Name is too long"),
        ({"url": "example.com"}, "Url must be a valid URL"),
        ({"setup_url": "ftp://a.example"}, "Setup url must be a valid URL"),
        ({"callback_urls": ["/callback"]}, "Callback url must be a valid URL"),
        ({"callback_urls": ["https://a.example"] * 11}, "Callback urls are too many"),
        ({"hook_attributes": {"url": "http://a.example/hook"}}, "Hook url must use https"),
        ({"hook_attributes": {"url": "http://127.0.0.1.a.example"}}, "Hook url must use https"),
        ({"default_permissions": {"actoins": "read"}}, "resource is not included in the list: actoins"),
        ({"default_permissions": {"actions": "admin"}}, "action is not included in the list: actions: admin"),
        ({"default_permissions": {"workflows": "read"}}, "action is not included in the list: workflows: read"),
        ({"default_events": ["installation"]}, "Default events unsupported: installation"),
        ({"default_events": ["workflow_run"]}, "Default events are not supported by permissions: workflow_run"),
        (
            {"default_events": ["push", "pull_request"], "default_permissions": {"pull_requests": "read"}},
            "Default events are not supported by permissions: push",
        ),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidManifest) as refused:
        read(**changed)
    assert any(said in problem for problem in refused.value.problems), refused.value.problems


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"name"', "{} {}"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest, match="no JSON"):
        read_manifest(text)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidManifest) as refused:
        read(default_events=["push", "installation"], default_permissions={"nothing": "read"})
    assert len(refused.value.problems) == 3


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*GOOD, "hook_attributes", "callback_urls", "default_events"]), anything))
def test_whatever_is_sent_is_read_or_refused(changed: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidManifest):
        assert isinstance(read(**changed), Manifest)


def test_permissions_are_those_that_github_publishes() -> None:
    published = set(AppPermissions.model_fields)
    assert published <= set(LEVELS)
    # Those that GitHub's schema has not caught up with.
    assert set(LEVELS) - published == {"repository_advisories"}
    for name, info in AppPermissions.model_fields.items():
        assert all(f"'{level}'" in str(info.annotation) for level in LEVELS[name]), name


def test_events_are_those_that_github_publishes_but_for_what_no_app_subscribes_to() -> None:
    unasked = {"github_app_authorization", "installation", "installation_repositories", "installation_target", "ping"}
    elsewhere = {"issue_relates_to", "marketplace_purchase", "repository_import", "sponsorship"}
    of_classic_projects = {"project", "project_card", "project_column"}
    assert set(VALID_EVENT_NAMES) - SUBSCRIBABLE == unasked | elsewhere | of_classic_projects
    assert set(VALID_EVENT_NAMES) >= SUBSCRIBABLE


def test_every_app_may_hear_of_repositories() -> None:
    assert "repository" in events_allowed_by({})
    assert "workflow_run" not in events_allowed_by({})


@pytest.mark.parametrize(
    ("name", "slug"), [("Our Ledger", "our-ledger"), ("  A -- b!", "a-b"), ("Été 2026", "t-2026"), ("x", "x")]
)
def test_a_slug_is_the_name_in_an_address(name: str, slug: str) -> None:
    assert slug_of(name) == slug
