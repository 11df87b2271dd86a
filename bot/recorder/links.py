"""Which pull request a run of the past belongs to, where neither GitHub's list of its own nor its commit tells.

GitHub lists a run's pull requests only while they are open, and a commit is no longer the head once something else was
pushed. The branch stays: whatever ran for it while the pull request was open, ran for the pull request.
"""

from collections.abc import Sequence

from bot.domain.ordering import NO_VERSION
from bot.domain.triggers import PULL_REQUEST_EVENTS
from bot.store.conversation import Among

_EVENTS = sorted(PULL_REQUEST_EVENTS)
_LINK = (
    "INSERT INTO run_pull_request (run_id, repository_id, number, run_created_at, version)"
    " SELECT run.run_id, pull.repository_id, pull.number, run.created_at, ? FROM workflow_run AS run"
    " JOIN pull_request AS pull ON pull.repository_id = run.repository_id AND pull.head_ref = run.head_branch"
    " AND pull.head_repository_id IN"
    " (SELECT attempt.head_repository_id FROM workflow_run_attempt AS attempt WHERE attempt.run_id = run.run_id)"
    " AND pull.created_at <= run.created_at"
    " AND (pull.closed_at IS NULL OR pull.closed_at >= run.created_at)"
    f" WHERE run.event IN ({', '.join('?' * len(_EVENTS))}) AND run.run_id {{among}}"
    " AND NOT EXISTS (SELECT 1 FROM run_pull_request AS link WHERE link.run_id = run.run_id)"
    " ON CONFLICT DO NOTHING"
)


def linking_by_branch(run_ids: Sequence[int]) -> Among:
    """Return what links those of these runs that belong to no pull request yet to what was open on their branch."""
    return Among(_LINK, sorted(run_ids), (NO_VERSION, *_EVENTS))
