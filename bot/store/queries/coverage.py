"""How whole the record of each repository is: since when, and what is missing of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from bot.domain.coverage import Span, missing, whole_since
from bot.store.database import current, database_errors, to_moment
from bot.store.queries.conditions import Condition
from bot.store.queries.scope import Scope

Row = dict[str, Any]
HoleKind = Literal["not_asked", "fetching", "failed", "gap", "missed", "silent"]
_TIMES = {"created_at", "history_asked_at", "silent_since", "last_delivery_at", "oldest_run_at", "since", "until"}

# The newest and the oldest run are each one look into the index of a repository's runs.
_REPOSITORIES = (
    "SELECT repository.repository_id, repository.full_name, repository.private, repository.archived,"
    " repository.html_url, repository.created_at, repository.history_asked_at, installation.state,"
    " installation.silent_since, installation.last_delivery_at, (SELECT run.run_id FROM workflow_run AS run"
    " WHERE run.repository_id = repository.repository_id ORDER BY run.created_at DESC, run.run_id DESC LIMIT 1)"
    " AS last_run_id, (SELECT min(run.created_at) FROM workflow_run AS run"
    " WHERE run.repository_id = repository.repository_id) AS oldest_run_at FROM repository LEFT JOIN installation"
    " ON installation.installation_id = repository.installation_id WHERE {} ORDER BY repository.full_name"
)
_LAST_RUNS = (
    "SELECT run.run_id, run.repository_id, run.workflow_name, run.run_number, run.status, run.conclusion,"
    " run.created_at FROM workflow_run AS run WHERE {}"
)
_HISTORIES = (
    "SELECT backfill.repository_id, backfill.state, backfill.since, backfill.until, backfill.created_at,"
    " backfill.runs_stored, backfill.runs_at_github, backfill.error FROM repository JOIN backfill"
    " ON backfill.repository_id = repository.repository_id AND backfill.kind IN ('request', 'installation')"
    " WHERE {} ORDER BY backfill.id"
)
_GAPS = (
    "SELECT listed.repository_id, min(backfill.since) AS since, max(backfill.until) AS until FROM repository"
    " JOIN backfill_window AS listed ON listed.repository_id = repository.repository_id AND listed.what = 'runs'"
    " JOIN backfill ON backfill.id = listed.backfill_id AND backfill.kind = 'gap' WHERE {}"
    " GROUP BY listed.repository_id"
)
_MISSED = (
    "SELECT missed.repository_id, count(*) AS deliveries, min(missed.delivered_at) AS since"
    " FROM missed_delivery AS missed JOIN repository ON repository.repository_id = missed.repository_id"
    " WHERE missed.settled_at IS NULL AND {} GROUP BY missed.repository_id"
)


class LastRun(Struct, frozen=True):
    """A repository's newest run."""

    run_id: int
    workflow_name: str | None
    run_number: int | None
    status: str
    conclusion: str | None
    created_at: datetime


class Hole(Struct, frozen=True, kw_only=True):
    """Something that the record lacks, or may lack.

    `not_asked`: the history from before the App came; `fetching`: history of which part is there, `failed`: history
    that could not be fetched, for `error`; `gap`: what GitHub failed to hand over; `missed`: so many `deliveries` that
    are still to be sent again; `silent`: GitHub shows runs but sends nothing.
    """

    kind: HoleKind
    since: datetime | None = None
    until: datetime | None = None
    runs_stored: int = 0
    runs_at_github: int | None = None
    deliveries: int = 0
    error: str | None = None


class Coverage(Struct, frozen=True, kw_only=True):
    """A repository and how whole its record is: `whole_since` but for the `holes`."""

    repository_id: int
    full_name: str
    private: bool
    archived: bool
    html_url: str | None
    last_run: LastRun | None
    whole_since: datetime
    oldest_run_at: datetime | None
    holes: list[Hole]


async def list_coverage(scope: Scope, now: datetime, kept_since: datetime | None = None) -> list[Coverage]:
    """Return the repositories of a scope, by name, and how whole their record is.

    Nothing is kept from before `kept_since`, where that is given. Raises DatabaseUnavailable.
    """
    condition = Condition()
    condition.add("repository.team_id = ? AND repository.hidden_at IS NULL", scope.team_id)
    if scope.repositories is not None:
        condition.add_among("repository.repository_id", sorted(scope.repositories))
    with database_errors():
        repositories = await _fetch(_REPOSITORIES, condition)
        last_runs = await _last_runs(repositories)
        histories = _by_repository(await _fetch(_HISTORIES, condition))
        gaps = _by_repository(await _fetch(_GAPS, condition))
        missed = _by_repository(await _fetch(_MISSED, condition))
    found = []
    for row in repositories:
        id_ = row["repository_id"]
        known = _known(row, histories[id_], now)
        since = whole_since(known[0], known)
        found.append(
            Coverage(
                repository_id=id_,
                full_name=row["full_name"],
                private=bool(row["private"]),
                archived=bool(row["archived"]),
                html_url=row["html_url"],
                last_run=last_runs.get(id_),
                whole_since=since if kept_since is None else max(since, kept_since),
                oldest_run_at=row["oldest_run_at"],
                holes=[
                    *_silence(row),
                    *_of_history(row, histories[id_], known),
                    *_of_deliveries(gaps[id_], missed[id_]),
                ],
            )
        )
    return found


async def _fetch(sql: str, condition: Condition) -> list[Row]:
    rows = await current().reader.fetch(sql.format(condition.sql), *condition.parameters)
    return [row | {name: to_moment(row[name]) for name in _TIMES & row.keys()} for row in rows]


async def _last_runs(repositories: Sequence[Row]) -> dict[int, LastRun]:
    condition = Condition()
    condition.add_among("run.run_id", [row["last_run_id"] for row in repositories if row["last_run_id"] is not None])
    rows = await _fetch(_LAST_RUNS, condition)
    return {row.pop("repository_id"): LastRun(**row) for row in rows}


def _by_repository(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["repository_id"]].append(row)
    return found


def _known(row: Row, histories: Iterable[Row], now: datetime) -> list[Span]:
    """Return since when the repository is in sight, and then the spans that were fetched."""
    in_sight = Span(row["created_at"], max(row["created_at"], now))
    return [in_sight, *(span for each in histories if each["state"] == "done" and (span := _span(each)))]


def _span(row: Row) -> Span | None:
    if row["since"] is None or row["until"] is None or row["since"] > row["until"]:
        return None
    return Span(row["since"], row["until"])


def _silence(row: Row) -> list[Hole]:
    silent, last = row["silent_since"], row["last_delivery_at"]
    is_silent = row["state"] == "active" and silent is not None and (last is None or last < silent)
    return [Hole(kind="silent", since=silent)] if is_silent else []


def _of_history(row: Row, histories: Iterable[Row], known: Sequence[Span]) -> list[Hole]:
    holes = [Hole(kind="not_asked")] if row["history_asked_at"] is None and row["state"] == "active" else []
    for each in histories:
        if each["state"] in {"waiting", "running"}:
            holes.append(_hole("fetching", each, each["since"], each["until"]))
        elif each["state"] == "failed" and (span := _span(each)):
            holes += [_hole("failed", each, left.since, left.until) for left in missing(span, known)]
    return holes


def _hole(kind: HoleKind, row: Row, since: datetime | None, until: datetime | None) -> Hole:
    return Hole(
        kind=kind,
        since=since,
        until=until,
        runs_stored=row["runs_stored"],
        runs_at_github=row["runs_at_github"],
        error=row["error"],
    )


def _of_deliveries(gaps: Iterable[Row], missed: Iterable[Row]) -> list[Hole]:
    holes = [Hole(kind="gap", since=row["since"], until=row["until"]) for row in gaps]
    return holes + [Hole(kind="missed", since=row["since"], deliveries=row["deliveries"]) for row in missed]
