"""The one table of routes: what aiohttp serves, what parameters are checked against, and what /openapi.json says."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from bot.store import views
from bot.store.queries import filters
from bot.web import health, keys, openapi, webhook
from bot.web.api import backfills, repositories, repository_settings, teams, workflow_jobs, workflow_runs
from bot.web.asking import handler_for
from bot.web.limits import Limits
from bot.web.middleware import attend, finish
from bot.web.pages import assets, audit, docs, front, login, runs, setup, setup_registering, tokens
from bot.web.pages import repository_settings as settings_pages
from bot.web.pages import teams as team_pages
from bot.web.ready import Ready
from bot.web.route import NoQuery, Route, Who

API = "/api/integrations/github"
JSON, HTML, TEXT = ("application/json",), ("text/html",), ("text/plain",)
# What a page answers with: itself, the way to another page, or one of them.
SHOWN: dict[int, Any] = {200: HTML}
LED_ON: dict[int, Any] = {303: ()}
EITHER = SHOWN | LED_ON

Handler = Callable[..., Awaitable[Any]]
Shape = type[msgspec.Struct]

middlewares = [attend]
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
        refusals=(400, 401, 404, 429, 503),
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
        refusals=(400, 401, 429, 503),
        conditional=True,
    )


def _file(path: str, handler: Handler, media_types: tuple[str, ...], summary: str, **more: Any) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        who=Who.ANYONE,
        summary=summary,
        tag="Files",
        answers={200: media_types},
        conditional=True,
        **more,
    )


def _page(
    path: str,
    handler: Handler,
    who: Who,
    summary: str,
    answers: dict[int, Any] = SHOWN,
    refusals: tuple[int, ...] = (),
    **more: Any,
) -> Route:
    more_answers = {303: ()} if who is Who.PERSON else {}
    its_own = {Who.PERSON: {404}, Who.SETUP: {403}}.get(who, set())
    return Route(
        method="GET",
        path=path,
        handler=handler,
        who=who,
        summary=summary,
        tag="Pages",
        answers=answers | more_answers,
        refusals=tuple(sorted({400, 429, 503, *its_own, *refusals})),
        is_page=True,
        **more,
    )


def _form(
    path: str,
    handler: Handler,
    who: Who,
    summary: str,
    form: Shape = NoQuery,
    answers: dict[int, Any] = SHOWN,
    **more: Any,
) -> Route:
    return Route(
        method="POST",
        path=path,
        handler=handler,
        who=who,
        summary=summary,
        tag="Pages",
        answers=answers,
        refusals=(400, 401, 403, 404, 408, 413, 415, 429, 503),
        is_page=True,
        form=form,
        **more,
    )


def _operator(path: str, handler: Handler, answers: dict[int, Any], summary: str, **more: Any) -> Route:
    who = more.pop("who", Who.OPERATOR)
    return Route(
        method="GET", path=path, handler=handler, who=who, summary=summary, tag="Operation", answers=answers, **more
    )


RECEIVE = Route(
    method="POST",
    path=webhook.PATH,
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
    refusals=(400, 401, 403, 404, 408, 415, 429, 503),
    takes_body=True,
    with_service=True,
    with_caller=True,
)
CHANGE_SETTINGS = Route(
    method="PUT",
    path=f"{API}/repositories/{{repositoryId}}/settings",
    handler=repository_settings.change_repository_settings,
    who=Who.TEAM,
    summary="Change what is told of a repository",
    tag="Record",
    query=repository_settings.SettingsChange,
    path_parameters=repository_settings.RepositoryPath,
    answers={200: views.RepositorySettingsAnswer},
    refusals=(400, 401, 403, 404, 408, 415, 429, 503),
    takes_body=True,
    with_service=True,
    with_caller=True,
)
RUNS, RUN, RUN_PATH = workflow_runs.list_workflow_runs, workflow_runs.get_workflow_run, workflow_runs.RunPath
PR_RUNS, JOBS = workflow_runs.list_pull_request_workflow_runs, workflow_jobs.list_workflow_jobs
REPOSITORIES = repositories.list_repositories
SETTINGS, REPOSITORY_PATH = repository_settings.get_repository_settings, repository_settings.RepositoryPath
BACKFILL, BACKFILL_PATH = backfills.get_backfill, backfills.BackfillPath
TEAM_PATH = team_pages.TeamPath
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
    _team("/repositories/{repositoryId}/settings", SETTINGS, filters.TeamQuery, views.RepositorySettingsAnswer, "Show what is told of a repository", REPOSITORY_PATH),  # noqa: E501
    CHANGE_SETTINGS,
    ASK_FOR_BACKFILL,
    _team("/backfills/{id}", BACKFILL, filters.TeamQuery, views.BackfillProgress, "Show a backfill", BACKFILL_PATH),
    _caller("/teams", teams.list_teams, views.TeamList, "List the teams you may read"),
    _operator("/healthz", health.get_health, {200: health.Health}, "Tell that the process lives"),
    _operator("/readyz", health.get_readiness, READINESS, "Tell whether deliveries are stored and handled"),
    _operator("/metrics", health.get_metrics, {200: TEXT}, "Tell Prometheus", who=Who.SCRAPER, refusals=(401, 404, 429)),  # noqa: E501
    _file("/openapi.json", openapi.get_openapi, JSON, "Show this document"),
    _file("/docs", docs.get_docs, HTML, "Show this document to click through"),
    _file("/static/{digest}/{name}", assets.get_asset, ASSETS, "Load a file", path_parameters=assets.AssetPath, refusals=(400, 404)),  # noqa: E501
    _page("/login", login.get_login, Who.ANYONE, "Sign in with GitHub", EITHER, query=login.LoginQuery, acts=True),
    _page("/login/callback", login.get_login_callback, Who.ANYONE, "Come back from GitHub", EITHER, (403,), query=login.CallbackQuery, acts=True, passes_over=True),  # noqa: E501
    _page("/logout", login.get_logout, Who.ANYONE, "Show the button that signs out"),
    _form("/logout", login.sign_out, Who.ANYONE, "Sign out", answers=LED_ON),
    _page("/setup", setup.get_setup, Who.ANYONE, "Show how far the set-up is"),
    _page("/setup/link/{token}", setup.get_setup_link, Who.ANYONE, "Show the button that opens the set-up page", EITHER, (403, 404), path_parameters=setup.LinkPath),  # noqa: E501
    _form("/setup/link/{token}", setup.open_setup_link, Who.ANYONE, "Open the set-up page, which uses the link up", answers=LED_ON, path_parameters=setup.LinkPath, sessionless=True),  # noqa: E501
    _page("/setup/progress", setup.get_setup_progress, Who.SETUP, "Show the steps of the set-up alone"),
    _form("/setup/register", setup_registering.register_app, Who.SETUP, "Lead to GitHub with the manifest", setup_registering.RegisterForm, EITHER),  # noqa: E501
    _page("/setup/registered", setup_registering.finish_registration, Who.ANYONE, "Take the App that GitHub made", refusals=(403, 409, 502), query=setup_registering.RegisteredQuery, acts=True),  # noqa: E501
    _page("/setup/installed", setup.get_installed, Who.ANYONE, "Come back from installing the App", LED_ON, query=setup.InstalledQuery, passes_over=True),  # noqa: E501
    _page("/", front.get_front_page, Who.ANYONE, "Show the front page"),
    _page("/teams/{team}", team_pages.get_team_page, Who.PERSON, "Show a team", path_parameters=TEAM_PATH),
    _page("/teams/{team}/runs", runs.get_runs_page, Who.PERSON, "Show a team's runs", query=runs.RunsPageQuery, path_parameters=TEAM_PATH),  # noqa: E501
    _page("/teams/{team}/runs/{runId}", runs.get_run_page, Who.PERSON, "Show a run and its jobs", query=runs.RunPageQuery, path_parameters=runs.TeamRunPath),  # noqa: E501
    _page("/teams/{team}/tokens", tokens.get_tokens_page, Who.PERSON, "Show your tokens", path_parameters=TEAM_PATH),
    _form("/teams/{team}/tokens", tokens.create_token, Who.PERSON, "Make a token, and show it once", tokens.NewToken, path_parameters=TEAM_PATH),  # noqa: E501
    _form("/teams/{team}/tokens/{tokenId}/revoke", tokens.revoke_token, Who.PERSON, "Revoke a token of yours", answers=LED_ON, path_parameters=tokens.TokenPath),  # noqa: E501
    _page("/teams/{team}/settings", settings_pages.get_settings_page, Who.PERSON, "Show what is told of repositories", query=settings_pages.SettingsQuery, path_parameters=TEAM_PATH),  # noqa: E501
    _form("/teams/{team}/settings/{repositoryId}", settings_pages.change_settings, Who.PERSON, "Change what is told of one you administer", settings_pages.SettingsForm, LED_ON, path_parameters=settings_pages.SettingsPath),  # noqa: E501
    _page("/teams/{team}/audit", audit.get_audit_page, Who.PERSON, "Show who changed what", path_parameters=TEAM_PATH),
)
# fmt: on


def add_routes(app: web.Application) -> None:
    """Add every route to `app`, the headers all answers have, and the receiver's bounds unless `app` brings its own.

    `app` must be made with `middlewares` and HANDLER_ARGS, and hold CONFIGURATION, CLOCK and INBOX before it serves.
    """
    for route in ROUTES:
        if route.method == "GET":
            app.router.add_get(route.path, handler_for(route), allow_head=not route.acts)
        else:
            app.router.add_route(route.method, route.path, handler_for(route))
    app[keys.OPENAPI] = _document()
    if keys.RECEIVER not in app:
        app[keys.RECEIVER] = webhook.Receiver()
    if keys.LIMITS not in app:
        app[keys.LIMITS] = Limits(app[keys.CLOCK], app[keys.CONFIGURATION].given.api_rate_limit)
    app[keys.READY] = Ready(app)
    app.on_response_prepare.append(finish)


@functools.cache
def _document() -> bytes:
    return msgspec.json.encode(openapi.document(ROUTES))
