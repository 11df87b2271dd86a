"""The one table of routes: what aiohttp serves, what parameters are checked against, and what /openapi.json says."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from bot.store import views
from bot.store.queries import filters
from bot.web import health, keys, openapi, pages, webhook
from bot.web.api import backfills, repositories, teams, workflow_jobs, workflow_runs
from bot.web.asking import handler_for
from bot.web.middleware import count, explain, harden, identify
from bot.web.route import Route, Who

API = "/api/integrations/github"
JSON, HTML, TEXT = ("application/json",), ("text/html",), ("text/plain",)

Handler = Callable[..., Awaitable[Any]]
Shape = type[msgspec.Struct]

# From the outermost to the innermost.
middlewares = [identify, count, explain]
# A compressed body is refused, so nothing may be unpacked on the way there; for `web.Application(handler_args=…)`.
HANDLER_ARGS = {"auto_decompress": False}


def _team(
    path: str,
    handler: Handler,
    query: Shape,
    answer: Shape,
    summary: str,
    path_parameters: Shape | None = None,
    *,
    with_service: bool = False,
) -> Route:
    return Route(
        method="GET",
        path=API + path,
        handler=handler,
        who=Who.TEAM,
        summary=summary,
        tag="Record",
        query=query,
        path_parameters=path_parameters,
        answers={200: answer},
        refusals=(400, 401, 404, 503),
        conditional=True,
        paged="cursor" in query.__struct_fields__,
        with_service=with_service,
    )


def _caller(path: str, handler: Handler, answer: Shape, summary: str) -> Route:
    return Route(
        method="GET",
        path=API + path,
        handler=handler,
        who=Who.CALLER,
        summary=summary,
        tag="Record",
        answers={200: answer},
        refusals=(400, 401, 503),
        conditional=True,
    )


def _page(path: str, handler: Handler, media_types: tuple[str, ...], summary: str, **more: Any) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        who=Who.ANYONE,
        summary=summary,
        tag="Pages",
        answers={200: media_types},
        **more,
    )


def _operator(path: str, handler: Handler, answers: dict[int, Any], summary: str, **more: Any) -> Route:
    who = more.pop("who", Who.OPERATOR)
    return Route(
        method="GET", path=path, handler=handler, who=who, summary=summary, tag="Operation", answers=answers, **more
    )


RECEIVE = Route(
    method="POST",
    path="/api/github/webhooks",
    handler=webhook.receive_delivery,
    who=Who.GITHUB,
    summary="Take a delivery in",
    tag="Webhook",
    headers=webhook.DeliveryHeaders,
    answers={202: webhook.DeliveryReceipt},
    refusals=(400, 401, 408, 413, 415, 503),
)
ASK_FOR_BACKFILL = Route(
    method="POST",
    path=f"{API}/backfills",
    handler=backfills.ask_for_backfill,
    who=Who.TEAM,
    summary="Ask for a repository's history",
    tag="Record",
    query=filters.BackfillRequest,
    answers={202: views.BackfillProgress},
    refusals=(400, 401, 404, 408, 415, 503),
    takes_body=True,
    with_service=True,
)
RUNS, RUN, RUN_PATH = workflow_runs.list_workflow_runs, workflow_runs.get_workflow_run, workflow_runs.RunPath
PR_RUNS, JOBS = workflow_runs.list_pull_request_workflow_runs, workflow_jobs.list_workflow_jobs
REPOSITORIES = repositories.list_repositories
BACKFILL, BACKFILL_PATH = backfills.get_backfill, backfills.BackfillPath
READINESS = {200: health.Readiness, 503: health.Readiness}
ASSETS = ("text/css", "text/javascript", "image/svg+xml")

# fmt: off
ROUTES = (
    RECEIVE,
    _team("/workflow-runs", RUNS, filters.RunsQuery, views.RunPage, "List runs"),
    _team("/workflow-runs/pr", PR_RUNS, filters.PullRequestRunsQuery, views.RunPage, "List a pull request's runs"),
    _team("/workflow-runs/{runId}", RUN, filters.RunDetailsQuery, views.RunDetails, "Show a run", RUN_PATH, with_service=True),  # noqa: E501
    _team("/workflow-jobs", JOBS, filters.JobsQuery, views.JobPage, "List jobs"),
    _team("/repositories", REPOSITORIES, filters.TeamQuery, views.RepositoryList, "List repositories"),
    ASK_FOR_BACKFILL,
    _team("/backfills/{id}", BACKFILL, filters.TeamQuery, views.BackfillProgress, "Show a backfill", BACKFILL_PATH),
    _caller("/teams", teams.list_teams, views.TeamList, "List the teams you may read"),
    _operator("/healthz", health.get_health, {200: health.Health}, "Tell that the process lives"),
    _operator("/readyz", health.get_readiness, READINESS, "Tell whether deliveries are stored and handled"),
    _operator("/metrics", health.get_metrics, {200: TEXT}, "Tell Prometheus", who=Who.SCRAPER, refusals=(401, 404)),
    _page("/openapi.json", openapi.get_openapi, JSON, "Show this document", conditional=True),
    _page("/docs", pages.get_docs, HTML, "Show this document to click through", conditional=True),
    _page("/", pages.get_front_page, HTML, "Show the front page"),
    _page("/static/{digest}/{name}", pages.get_asset, ASSETS, "Load a file", path_parameters=pages.AssetPath, refusals=(400, 404), conditional=True),  # noqa: E501
)
# fmt: on


def add_routes(app: web.Application) -> None:
    """Add every route to `app`, the headers all answers have, and the receiver's bounds unless `app` brings its own.

    `app` must be made with `middlewares` and HANDLER_ARGS, and hold CONFIGURATION, CLOCK and INBOX before it serves.
    """
    for route in ROUTES:
        if route.method == "GET":
            app.router.add_get(route.path, handler_for(route))
        else:
            app.router.add_route(route.method, route.path, handler_for(route))
    app[keys.OPENAPI] = msgspec.json.encode(openapi.document(ROUTES))
    if keys.RECEIVER not in app:
        app[keys.RECEIVER] = webhook.Receiver()
    app.on_response_prepare.append(harden)
