"""A record that is only a list, and every filter as a plain condition on it: what the queries are held against."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from tests import builders as make
from tests.store.recording import NOON, stamp

Filters = Mapping[str, Any]

INSTALLATIONS = {9: 71, 10: 71, 11: 72}
NAMES = {9: "octo-org/hello", 10: "octo-org/World", 11: "octo-org/other.repo"}
# One workflow's name is another one's path, two workflows share a name, and one without a name is called by its path.
WORKFLOWS = {
    31: ("CI", ".github/workflows/ci.yml"),
    32: ("CI", ".github/workflows/other.yml"),
    33: (".github/workflows/ci.yml", None),
    35: (".github/workflows/unnamed.yml", ".github/workflows/unnamed.yml"),
}
SHAS = [f"{number:040x}" for number in (1, 2, 3)]
STATES = [("completed", "success"), ("completed", "failure"), ("in_progress", None), ("queued", None)]
BRANCHES = ["main", "topic", "a'b", "100%", "a_b", "aXb", None]
# How many seconds after its run a job is listed: some are late.
WAITS = (0, 0, 0, 3600, 6 * 3600 - 1, 6 * 3600, 6 * 3600 + 1, 3 * 24 * 3600)
LABELS = ["linux", "lin%", "lin_x", 'say "hi"', "it's", "back\\slash", "[", "Linux"]
ACTORS = [("mona", 6), ("hubot", 8), None]


class Row(NamedTuple):
    """A body, the repository it is of, and for a job the body of its run."""

    repository: int
    body: make.Body
    run: make.Body | None = None


def _run(rng: Random, run_id: int) -> make.Body:
    workflow_id = rng.choice([*WORKFLOWS])
    name, path = WORKFLOWS[workflow_id]
    status, conclusion = rng.choice(STATES)
    actor = rng.choice(ACTORS)
    return make.run(
        run_id,
        workflow_id=workflow_id,
        name=name,
        path=path,
        status=status,
        conclusion=conclusion,
        actor=actor and {"login": actor[0], "id": actor[1]},
        head_branch=rng.choice(BRANCHES),
        head_sha=rng.choice(SHAS),
        event=rng.choice(["push", "pull_request", None]),
        created_at=stamp(rng.randrange(12)),
    )


def _job(rng: Random, job_id: int, run: make.Body) -> make.Body:
    status, conclusion = rng.choice(STATES)
    # Of a workflow that is called by its path, a job that is called otherwise is found by its own name alone.
    otherwise = [WORKFLOWS[33][0]] if run["name"] != run["path"] else []
    return make.job(
        job_id,
        run["id"],
        name=rng.choice(["build", "test (3.12)", "build / x"]),
        workflow_name=rng.choice([run["name"], run["name"], None, *otherwise]),
        run_attempt=rng.choice([1, 2, None]),
        status=status,
        conclusion=conclusion,
        head_branch=run["head_branch"],
        head_sha=run["head_sha"],
        created_at=rng.choice([stamp(rng.randrange(12) + rng.choice(WAITS)), None]),
        started_at=rng.choice([stamp(rng.randrange(12)), None]),
        runner_name=rng.choice(["Runner 1", "Runner 2", None]),
        labels=rng.sample(LABELS, rng.randrange(4)),
    )


def draw(seed: int = 5) -> tuple[list[Row], list[Row]]:
    """Return some runs and their jobs, and jobs of runs that nobody has heard of; many share their times."""
    rng = Random(seed)
    runs = [Row(rng.choice([*NAMES]), _run(rng, 100 + 3 * number)) for number in range(70)]
    jobs = [
        Row(run.repository, _job(rng, 1000 * (2 + part) + run.body["id"], run.body), run.body)
        for run in runs
        for part in range(rng.randrange(4))
    ]
    lone = [_run(rng, 50_000 + number) for number in range(8)]
    jobs += [Row(9, _job(rng, 60_000 + run["id"], run)) for run in lone]
    return runs, jobs


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def listed_at(row: Row) -> datetime:
    """Return what a row is listed under: its creation, else its start, else the beginning of all time."""
    told = _moment(row.body["created_at"]) or (_moment(row.body["started_at"]) if "steps" in row.body else None)
    return told or datetime(1970, 1, 1, tzinfo=UTC)


SHARED: Mapping[str, Callable[[Row, Any], bool]] = {
    "repo_full_name": lambda row, name: NAMES[row.repository].lower() == name.lower(),
    "installation_id": lambda row, id: INSTALLATIONS[row.repository] == id,
    "branch": lambda row, branch: row.body["head_branch"] == branch,
    "status": lambda row, status: row.body["status"] == status,
    "conclusion": lambda row, conclusion: row.body["conclusion"] == conclusion,
    "head_sha": lambda row, sha: row.body["head_sha"] == sha,
    "since": lambda row, since: listed_at(row) >= since,
    "until": lambda row, until: listed_at(row) <= until,
}
RUN_FILTERS: Mapping[str, Callable[[Row, Any], bool]] = {
    **SHARED,
    "workflow_id": lambda row, id: row.body["workflow_id"] == id,
    "workflow": lambda row, name: name in (row.body["name"], row.body["path"]),
    "event": lambda row, event: row.body["event"] == event,
    "actor": lambda row, login: bool(row.body["actor"]) and row.body["actor"]["login"] == login,
}
JOB_FILTERS: Mapping[str, Callable[[Row, Any], bool]] = {
    **SHARED,
    "workflow_id": lambda row, id: row.run is not None and row.run["workflow_id"] == id,
    "workflow": lambda row, name: (
        row.body["workflow_name"] == name
        or (row.run is not None and name in (row.run["path"], row.body["workflow_name"] or row.run["name"]))
    ),
    "event": lambda row, event: row.run is not None and row.run["event"] == event,
    "actor": lambda row, login: row.run is not None and (row.run["actor"] or {}).get("login") == login,
    "run_id": lambda row, id: row.body["run_id"] == id,
    "attempt": lambda row, attempt: (row.body["run_attempt"] or 1) == attempt,
    "name": lambda row, name: row.body["name"] == name,
    "runner_name": lambda row, name: row.body["runner_name"] == name,
    "label": lambda row, label: label in row.body["labels"],
}
CHOICES: Mapping[str, list[Any]] = {
    "repo_full_name": [*NAMES.values(), "OCTO-ORG/world", "octo-org/none"],
    "installation_id": [71, 72, 73],
    "workflow_id": [*WORKFLOWS, 34],
    "workflow": [
        "CI",
        ".github/workflows/ci.yml",
        ".github/workflows/other.yml",
        ".github/workflows/unnamed.yml",
        "C%",
    ],
    "branch": ["main", "topic", "a'b", "100%", "a_b", "%", "1%' OR '1'='1"],
    "event": ["push", "pull_request", "schedule"],
    "status": ["completed", "in_progress", "queued", "waiting"],
    "conclusion": ["success", "failure", "stale"],
    "actor": ["mona", "hubot", "Mona", "m%"],
    "head_sha": [*SHAS, "f" * 40],
    "since": [NOON + timedelta(seconds=each) for each in (-1, 0, 3.5, 11, 12)],
    "until": [NOON + timedelta(seconds=each) for each in (-1, 0, 7, 7.999999, 11)],
    "run_id": [100, 103, 160, 307, 50_001, 1],
    "attempt": [1, 2, 3],
    "name": ["build", "test (3.12)", "build / x", "Build", "%"],
    "runner_name": ["Runner 1", "Runner 2", "runner 1"],
    "label": [*LABELS, "%", "lin", '"', "li"],
}


Sets = Callable[[Sequence[str]], Iterator[Sequence[str]]]


def every_set(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield every set of filters."""
    for size in range(len(names) + 1):
        yield from itertools.combinations(names, size)


def some_sets(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the sets of few filters and those of nearly all, and of the others one here and there."""
    few, chance = 2, Random(7)
    for size in (*range(few + 1), *range(len(names) - few, len(names) + 1)):
        yield from itertools.combinations(names, size)
    for _ in range(200):
        yield chance.sample(names, chance.randrange(few + 1, len(names) - few))


def matching(rows: list[Row], conditions: Mapping[str, Callable[[Row, Any], bool]], filters: Filters) -> list[int]:
    """Return the ids of the rows that all filters fit, newest first."""
    found = [row for row in rows if all(conditions[name](row, value) for name, value in filters.items())]
    return [row.body["id"] for row in sorted(found, key=lambda row: (listed_at(row), row.body["id"]), reverse=True)]
