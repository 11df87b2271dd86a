"""How each route is asked for. A route without a row here fails the tests.

A new route gets a row in ROWS: its path and query, with the places that `Place` names, and, where anybody may ask, what
they get. What it refuses with follows from who may ask for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.web.pages.assets import asset_url
from bot.web.route import Route, Who
from tests.web.town import API


@dataclass(frozen=True)
class Place:
    """What a path, a query or a form may name."""

    team: str = "acme"
    repo: str = "acme/rocket"
    run: int = 0
    repository: int = 0
    backfill: int = 0
    token: int = 0

    def fill(self, text: str) -> str:
        return text.format(**vars(self))


NOWHERE = Place("acme", "acme/nowhere", 10**15, 10**15, 10**9, 10**9)
OF_ONE_REPOSITORY = ("{repo}", "{run}", "{repository}", "{backfill}", "{token}")


@dataclass(frozen=True)
class Row:
    """How a route is asked for: its path and query, and the fields of its form or its JSON.

    `stranger` is what somebody without credentials gets where that does not follow from who may ask; `replayed` what a
    state gets that was used already. `in_use` is what its own people get for their own place.
    """

    asked: str
    fields: Mapping[str, str] = field(default_factory=dict)
    stranger: int | None = None
    replayed: int | None = None
    in_use: int = 200

    @property
    def names_a_repository(self) -> bool:
        return any(part in self.asked + "".join(self.fields.values()) for part in OF_ONE_REPOSITORY)

    @property
    def names_a_team(self) -> bool:
        return "{team}" in self.asked + "".join(self.fields.values())


RUNS, JOBS = f"{API}/workflow-runs", f"{API}/workflow-jobs"
ROWS = {
    "POST /api/github/webhooks": Row("/api/github/webhooks", stranger=401),
    f"GET {RUNS}": Row(RUNS + "?team={team}&repoFullName={repo}"),
    f"GET {RUNS}/pr": Row(RUNS + "/pr?team={team}&repoFullName={repo}&prNumber=1"),
    f"GET {RUNS}/{{runId}}": Row(RUNS + "/{run}?team={team}"),
    f"GET {JOBS}": Row(JOBS + "?team={team}&repoFullName={repo}"),
    f"GET {API}/repositories": Row(API + "/repositories?team={team}"),
    f"GET {API}/repositories/{{repositoryId}}/settings": Row(API + "/repositories/{repository}/settings?team={team}"),
    f"PUT {API}/repositories/{{repositoryId}}/settings": Row(
        API + "/repositories/{repository}/settings", {"team": "{team}", "muted": "true"}
    ),
    f"POST {API}/backfills": Row(API + "/backfills", {"team": "{team}", "repoFullName": "{repo}"}, in_use=202),
    f"GET {API}/backfills/{{id}}": Row(API + "/backfills/{backfill}?team={team}"),
    f"GET {API}/teams": Row(API + "/teams"),
    "GET /healthz": Row("/healthz", stranger=200),
    "GET /readyz": Row("/readyz", stranger=503),
    "GET /metrics": Row("/metrics", stranger=200),
    "GET /openapi.json": Row("/openapi.json", stranger=200),
    "GET /docs": Row("/docs", stranger=200),
    "GET /static/{digest}/{name}": Row(asset_url("site.css"), stranger=200),
    "GET /login": Row("/login?return_to=//evil.example", stranger=400),
    "GET /login/callback": Row("/login/callback?code=abc&state=def", stranger=400, replayed=400),
    "GET /logout": Row("/logout", stranger=200),
    "POST /logout": Row("/logout"),
    "GET /setup": Row("/setup", stranger=200),
    "GET /setup/link/{token}": Row("/setup/link/guessed", stranger=404),
    "POST /setup/link/{token}": Row("/setup/link/guessed", stranger=404),
    "GET /setup/progress": Row("/setup/progress"),
    "POST /setup/register": Row("/setup/register", stranger=403),
    "GET /setup/registered": Row("/setup/registered?code=abc&state=def", stranger=403, replayed=403),
    "GET /setup/installed": Row("/setup/installed", stranger=303, replayed=303),
    "GET /": Row("/", stranger=200),
    "GET /teams/{team}": Row("/teams/{team}"),
    "GET /teams/{team}/runs": Row("/teams/{team}/runs"),
    "GET /teams/{team}/runs/{runId}": Row("/teams/{team}/runs/{run}"),
    "GET /teams/{team}/tokens": Row("/teams/{team}/tokens"),
    "POST /teams/{team}/tokens": Row("/teams/{team}/tokens", {"name": "mine", "days": "30"}),
    "POST /teams/{team}/tokens/{tokenId}/revoke": Row("/teams/{team}/tokens/{token}/revoke", in_use=303),
    "GET /teams/{team}/settings": Row("/teams/{team}/settings"),
    "POST /teams/{team}/settings/{repositoryId}": Row(
        "/teams/{team}/settings/{repository}", {"comments": "true", "muted": "true"}, in_use=303
    ),
    "GET /teams/{team}/audit": Row("/teams/{team}/audit"),
}


def label(route: Route) -> str:
    return f"{route.method} {route.path}"


def is_of_the_api(route: Route) -> bool:
    return route.who in {Who.TEAM, Who.CALLER}


def refusal(route: Route) -> int:
    """Return what somebody without good credentials gets."""
    row = ROWS[label(route)]
    if row.stranger is not None:
        return row.stranger
    if is_of_the_api(route) or route.method != "GET":
        return 401
    return 303 if route.who is Who.PERSON else 403
