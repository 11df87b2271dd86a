"""What the benches of lists ask for: mixed filters over runs and jobs, and each filter alone.

The record that they are asked of is that of `bench/record`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import cycle, islice
from urllib.parse import urlencode

from bench import load, record
from bench.record import TEAM, repository_name

RUNS = "/api/integrations/github/workflow-runs"
JOBS = "/api/integrations/github/workflow-jobs"
Filters = Mapping[str, str]

_SINCE = (record.NOW - timedelta(days=30)).date().isoformat()
# What dashboards ask for, over and over: eight lists of runs, and four of jobs.
MIXED: tuple[tuple[str, Filters], ...] = (
    (RUNS, {}),
    (RUNS, {"repoFullName": repository_name(3)}),
    (JOBS, {}),
    (RUNS, {"conclusion": "failure"}),
    (RUNS, {"event": "pull_request"}),
    (JOBS, {"conclusion": "failure"}),
    (RUNS, {"repoFullName": repository_name(5), "conclusion": "success"}),
    (RUNS, {"workflowId": "5007"}),
    (JOBS, {"repoFullName": repository_name(3)}),
    (RUNS, {"since": _SINCE, "status": "completed"}),
    (RUNS, {"actor": "developer-07"}),
    (JOBS, {"runnerName": "runner-007"}),
)

# Filters that something matches, by what they are called in tables.
MATCHING: Mapping[str, Filters] = {
    "repoFullName": {"repoFullName": repository_name(3)},
    "installationId": {"installationId": str(record.INSTALLATION_ID)},
    "installationId of quiet repositories": {"installationId": str(record.QUIET_INSTALLATION_ID)},
    "workflowId": {"workflowId": "5007"},
    "workflowId of few runs": {"workflowId": str(5000 + record.RARE)},
    "workflowId of runs long past": {"workflowId": str(5000 + record.RETIRED)},
    "workflowId of runs without jobs": {"workflowId": str(5000 + record.JOBLESS)},
    "workflow": {"workflow": "Workflow 7"},
    "workflow, by path": {"workflow": ".github/workflows/workflow-7.yml"},
    "workflow without a name": {"workflow": f".github/workflows/workflow-{record.UNNAMED}.yml"},
    "branch": {"branch": "change-7"},
    "event": {"event": "push"},
    "event of most runs": {"event": "pull_request"},
    "event of runs without jobs": {"event": record.JOBLESS_EVENT},
    "status": {"status": "completed"},
    "conclusion": {"conclusion": "failure"},
    "actor": {"actor": "developer-07"},
    "actor of runs without jobs": {"actor": record.JOBLESS_PERSON},
    "since": {"since": _SINCE},
    "until": {"until": (record.BEGIN + timedelta(days=30)).date().isoformat()},
}
MISSING: Mapping[str, Filters] = {
    "repoFullName": {"repoFullName": f"{record.OWNER.login}/nowhere"},
    "installationId": {"installationId": "1"},
    "workflowId": {"workflowId": "1"},
    "workflow": {"workflow": "No such workflow"},
    "branch": {"branch": "no-such-branch"},
    "event": {"event": "merge_group"},
    "status": {"status": "queued"},
    "conclusion": {"conclusion": "stale"},
    "actor": {"actor": "nobody"},
    "headSha": {"headSha": "0" * 40},
    "since": {"since": "2027-01-01"},
    "until": {"until": "2025-01-01"},
}
MATCHING_JOBS: Mapping[str, Filters] = {
    **MATCHING,
    "attempt": {"attempt": "1"},
    "name": {"name": "test (part 1)"},
    "runnerName": {"runnerName": "runner-007"},
    "label": {"label": record.LABEL},
    "label among several": {"label": record.LARGE},
    "label of few jobs": {"label": record.FEW},
    "label of jobs long past": {"label": record.PAST},
    "repoFullName and name": {"repoFullName": repository_name(3), "name": "test (part 1)"},
}
MISSING_JOBS: Mapping[str, Filters] = {
    **MISSING,
    "runId": {"runId": "1"},
    "attempt": {"attempt": "7"},
    "name": {"name": "nothing"},
    "runnerName": {"runnerName": "none"},
    "label": {"label": "windows-2012"},
}


def path(filters: Filters, of: str = RUNS, limit: int = 50) -> str:
    """Return where a list is asked for, `of` runs, of jobs, or of anything else that has a team."""
    return f"{of}?{urlencode({'team': TEAM, **filters, 'limit': limit})}"


def varied(count: int) -> Iterator[str]:
    """Yield so many lists with mixed filters, no two alike, so that none is answered from what is remembered.

    Each is asked since another second of the record's first days, which leaves out nothing of a page.
    """
    moments = (record.BEGIN + timedelta(seconds=number) for number in range(count))
    for (of, filters), moment in zip(cycle(MIXED), moments, strict=False):
        yield path({**filters, "since": _second(moment)}, of)


def all_over(count: int) -> Iterator[str]:
    """Yield so many lists with mixed filters, of pages that begin all over the record."""
    whole = {"since": record.BEGIN.date().isoformat()}
    moments = (record.NOW - (record.NOW - record.BEGIN) * number / count for number in range(count))
    for (of, filters), moment in zip(cycle(MIXED), moments, strict=False):
        yield path({**filters, **whole, "until": _second(moment)}, of)


def again(count: int) -> Iterator[str]:
    """Yield so many lists with mixed filters, the same few over and over."""
    return islice(cycle([path(filters, of) for of, filters in MIXED]), count)


def requests(paths: Iterator[str], token: str) -> list[bytes]:
    """Return what asks for these."""
    return [load.get(each, token) for each in paths]


def _second(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
