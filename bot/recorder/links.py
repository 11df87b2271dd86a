"""Which pull requests runs belong to that GitHub lists none with.

A fork's run lists no pull requests; its head commit, in its head repository, tells them. GitHub lists others only while
they are open, and a commit is no longer the head once something else was pushed. The branch stays: whatever ran for it
while the pull request was open, ran for the pull request.
"""

from collections.abc import Iterable, Sequence

from bot.domain.ordering import NO_VERSION
from bot.domain.triggers import PULL_REQUEST_EVENTS
from bot.store.conversation import Among
from bot.store.writes import ForEach, Pattern

_EVENTS = sorted(PULL_REQUEST_EVENTS)
_LINK = "INSERT INTO run_pull_request (run_id, repository_id, number, run_created_at, version)"
# What an earlier snapshot told and the last one leaves out stands in the run's row, so that is where it is read.
_BY_HEAD = (
    f"{_LINK} SELECT run.run_id, head.repository_id, head.number, run.created_at, ? FROM workflow_run AS run"
    " JOIN pull_request_head AS head ON head.repository_id = run.repository_id AND head.head_sha = run.head_sha"
    " AND head.head_repository_id = run.head_repository_id WHERE run.run_id {among} ON CONFLICT DO NOTHING"
)
_OF_HEAD = Pattern(
    f"{_LINK} SELECT run.run_id, run.repository_id, {{number}}, run.created_at, {{version}}"
    " FROM workflow_run AS run{and_each} WHERE run.repository_id = {repository_id} AND run.head_sha = {head_sha}"
    " AND run.head_repository_id = {head_repository_id} ON CONFLICT DO NOTHING",
    {
        "number": "INTEGER",
        "version": "BYTEA",
        "repository_id": "BIGINT",
        "head_sha": "TEXT",
        "head_repository_id": "BIGINT",
    },
)
_BY_BRANCH = (
    f"{_LINK} SELECT run.run_id, pull.repository_id, pull.number, run.created_at, ? FROM workflow_run AS run"
    " JOIN pull_request AS pull ON pull.repository_id = run.repository_id AND pull.head_ref = run.head_branch"
    " AND pull.head_repository_id = run.head_repository_id AND pull.created_at <= run.created_at"
    " AND (pull.closed_at IS NULL OR pull.closed_at >= run.created_at)"
    f" WHERE run.event IN ({', '.join('?' * len(_EVENTS))}) AND run.run_id {{among}}"
    " AND NOT EXISTS (SELECT 1 FROM run_pull_request AS link WHERE link.run_id = run.run_id)"
    " ON CONFLICT DO NOTHING"
)


def linking_by_head(run_ids: Sequence[int]) -> Among:
    """Return what links these runs, which are recorded, to the pull requests that had their commit as the head."""
    return Among(_BY_HEAD, sorted(run_ids), (NO_VERSION,))


def linking_of_heads(heads: Iterable[tuple[int, str, int, int]]) -> ForEach:
    """Return what links the runs of heads: each a repository, a commit, the repository of its branch, and a number."""
    return ForEach(_OF_HEAD, [(number, NO_VERSION, repository, sha, head) for repository, sha, head, number in heads])


def linking_by_branch(run_ids: Sequence[int]) -> Among:
    """Return what links those of these runs that belong to no pull request yet to what was open on their branch."""
    return Among(_BY_BRANCH, sorted(run_ids), (NO_VERSION, *_EVENTS))
