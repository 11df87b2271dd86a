"""The document, the route table and what aiohttp serves say the same; and the document is valid."""

import json
import re
from typing import Any

import pytest
from aiohttp import web
from openapi_spec_validator import validate

from bot.web import openapi
from bot.web.parameters import parameters_of
from bot.web.route import Route, Who
from bot.web.routes import ROUTES
from tests.web.conftest import Client
from tests.web.rooms import API, TOKEN, Rooms, make_app

DOCUMENT = openapi.document(ROUTES)


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


def operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]
    return found


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """Follow a `$ref` within the document."""
    for step in node["$ref"].split("/")[1:] if "$ref" in node else []:
        node = DOCUMENT if step == "components" and "$ref" in node else node
        node = node[step]
    return node


def parameters(route: Route) -> dict[str, dict[str, Any]]:
    return {found["name"]: found for found in map(resolved, operation(route)["parameters"])}


async def test_what_is_served_is_valid_and_is_this_document(client: Client) -> None:
    answer = await client.get("/openapi.json")
    served = await answer.json()
    assert served == json.loads(json.dumps(DOCUMENT))
    assert served["openapi"].startswith("3.1.")
    validate(served)


def test_the_table_the_document_and_the_router_are_equal() -> None:
    table = {(route.method, route.path) for route in ROUTES}
    documented = {(method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item}
    routed = {
        (route.method, route.resource.canonical)
        for route in make_app(Rooms()).router.routes()
        if isinstance(route, web.ResourceRoute) and route.resource is not None and route.method != "HEAD"
    }
    assert table == documented == routed
    assert len(table) == len(ROUTES)


def test_operation_ids_are_unique() -> None:
    names = [operation(route)["operationId"] for route in ROUTES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", ROUTES, ids=label)
def test_every_parameter_is_documented(route: Route) -> None:
    declared = {
        name: (place, parameter.required and (place == "path" or not route.takes_body))
        for place, struct in (("query", route.query), ("path", route.path_parameters), ("header", route.headers))
        if struct is not None
        for name, parameter in parameters_of(struct).items()
    }
    documented = {
        name: (found["in"], found["required"]) for name, found in parameters(route).items() if "required" in found
    }
    assert documented == declared
    for found in parameters(route).values():
        assert found["description"]
        assert "null" not in json.dumps(found["schema"])


@pytest.mark.parametrize("route", [route for route in ROUTES if route.who is Who.TEAM], ids=label)
async def test_every_documented_parameter_is_checked(client: Client, route: Route) -> None:
    """A NUL is wrong everywhere, so each parameter that is really looked at names itself."""
    path = re.sub(r"\{\w+\}", "7", route.path)
    in_query = {name for name, found in parameters(route).items() if found["in"] == "query"}
    answer = await client.request(route.method, path, params=dict.fromkeys(in_query, "\0"), headers=TOKEN)
    assert answer.status == 400
    assert {fault["parameter"] for fault in (await answer.json())["errors"]} == in_query


@pytest.mark.parametrize("route", ROUTES, ids=label)
def test_every_error_is_a_problem(route: Route) -> None:
    responses = operation(route)["responses"]
    assert {str(status) for status in (*route.answers, *route.refusals, 500)} <= set(responses)
    for status in map(str, route.refusals):
        refusal = resolved(responses[status])
        # What can't be read as HTTP is a problem, whatever it was meant for.
        unread = ["application/problem+json"] if status == "400" else []
        assert list(refusal["content"]) == (["text/html", *unread] if route.is_page else ["application/problem+json"])
        assert ("Retry-After" in refusal["headers"]) == (status in {"429", "503"})
        assert ("WWW-Authenticate" in refusal["headers"]) == (status == "401")


def test_what_a_body_may_hold_is_documented_as_the_query_is() -> None:
    for route in ROUTES:
        if route.takes_body:
            schema = operation(route)["requestBody"]["content"]["application/json"]["schema"]
            in_query = {name: found["schema"] for name, found in parameters(route).items() if found["in"] == "query"}
            assert schema["additionalProperties"] is False
            assert schema["properties"].keys() == in_query.keys()
            for name, found in in_query.items():
                assert found.items() <= schema["properties"][name].items()
    assert f"{API}/backfills" in [route.path for route in ROUTES if route.takes_body]


def test_who_may_ask_is_documented() -> None:
    security = {route.path: operation(route)["security"] for route in ROUTES}
    assert security[f"{API}/workflow-runs"] == [{"token": []}, {"session": []}]
    assert security["/api/github/webhooks"] == [{"githubSignature": []}]
    assert security["/metrics"] == [{}, {"metricsToken": []}]
    assert security["/docs"] == security["/login"] == []
    assert {str(operation(route)["security"]) for route in ROUTES if route.who in {Who.PERSON, Who.SETUP}} <= {
        "[{'session': []}]"
    }


@pytest.mark.parametrize("route", ROUTES, ids=label)
def test_a_form_is_documented_with_its_fields(route: Route) -> None:
    assert (route.form is not None) == (route.is_page and route.method == "POST")
    if route.form is None:
        return
    (schema,) = (kind["schema"] for kind in operation(route)["requestBody"]["content"].values())
    known = parameters_of(route.form)
    assert schema["properties"].keys() == {"csrf", *known}
    assert set(schema["required"]) == {"csrf", *(name for name, field in known.items() if field.required)}


@pytest.mark.parametrize("route", ROUTES, ids=label)
def test_limits_are_documented_where_there_are_some(route: Route) -> None:
    is_limited = route.is_page or route.who in {Who.TEAM, Who.CALLER}
    for status in route.answers:
        told = operation(route)["responses"][str(status)]["headers"]
        assert ("RateLimit-Remaining" in told) == is_limited
    assert (429 in route.refusals) == (is_limited or route.who is Who.SCRAPER)


def test_lists_document_their_link_and_etag() -> None:
    for route in ROUTES:
        headers = operation(route)["responses"][str(min(route.answers))]["headers"]
        assert ("Link" in headers) == ("cursor" in parameters(route) and not route.is_page)
        assert ("ETag" in headers) == ("304" in operation(route)["responses"])


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/workflow-runs?team=octo", "RunPage"),
        ("/workflow-runs/7?team=octo", "RunDetails"),
        ("/workflow-jobs?team=octo", "JobPage"),
        ("/repositories?team=octo", "RepositoryList"),
        ("/backfills/3?team=octo", "BackfillProgress"),
        ("/teams", "TeamList"),
    ],
)
async def test_an_answer_has_the_fields_that_are_documented(client: Client, path: str, shape: str) -> None:
    answer = await client.get(API + path, headers=TOKEN)
    schemas = DOCUMENT["components"]["schemas"]
    body = await answer.json()
    assert answer.status == 200
    assert list(body) == list(schemas[shape]["properties"]) == schemas[shape]["required"]
    for run in body.get("runs", []):
        assert list(run) == list(schemas["Run"]["properties"]) == schemas["Run"]["required"]
