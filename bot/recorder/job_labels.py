"""A row for each label of a job with several, where its set of labels is none of its team's first.

The database itself keeps these (migration 0010), on PostgreSQL altogether. On SQLite it sees to whatever changes or
goes; of new jobs the recorder does, because there a statement with a trigger keeps a journal of its own, in which every
page of every index is copied: two thirds of what it takes to record a job. `bench/backfill` shows what that is worth.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial

from bot.domain import facts
from bot.settings import Dialect
from bot.store.conversation import Conversation, Question
from bot.store.database import Transaction, current
from bot.store.writes import Statement

# So many sets of a team need no rows, and none is longer in letters; the migration says the same.
MOST_SETS, LONGEST_SET = 8, 500
LONGEST_LABEL = 255
# What a version from before the rows has recorded lacks them until the next look.
LOOKED_BACK, A_SLICE = timedelta(days=4), timedelta(hours=1)
_HAS_SEVERAL = f"(json_array_length(job.labels) > 1 OR length(job.labels) > {LONGEST_SET})"
_ADD_SET = (
    "INSERT INTO workflow_job_label_set (team_id, labels) SELECT job.team_id, job.labels FROM workflow_job AS job"
    f" WHERE job.job_id = ? AND {_HAS_SEVERAL} AND length(job.labels) <= {LONGEST_SET}"
    " AND (SELECT count(*) FROM workflow_job_label_set AS known WHERE known.team_id = job.team_id)"
    f" < {MOST_SETS} ON CONFLICT DO NOTHING"
)
_IS_OF_A_SET = (
    "EXISTS (SELECT 1 FROM workflow_job_label_set AS known"
    " WHERE known.team_id = job.team_id AND known.labels = job.labels)"
)
_PUT = (
    "INSERT INTO workflow_job_label (team_id, label, listed_at, job_id)"
    " SELECT job.team_id, label.value, job.listed_at, job.job_id"
    " FROM workflow_job AS job CROSS JOIN json_each(job.labels) AS label WHERE job.job_id = ?"
    f" AND {_HAS_SEVERAL} AND length(label.value) <= {LONGEST_LABEL} AND NOT {_IS_OF_A_SET} ON CONFLICT DO NOTHING"
)
_LACKING_ROWS = (
    "SELECT job.job_id FROM team CROSS JOIN workflow_job AS job"
    " WHERE job.team_id = team.id AND job.listed_at >= ? AND job.listed_at < ?"
    f" AND {_HAS_SEVERAL} AND NOT {_IS_OF_A_SET} AND EXISTS (SELECT 1 FROM json_each(job.labels) AS label"
    f" WHERE length(label.value) <= {LONGEST_LABEL} AND NOT EXISTS (SELECT 1 FROM workflow_job_label AS kept"
    " WHERE kept.team_id = job.team_id AND kept.label = label.value AND kept.listed_at = job.listed_at"
    " AND kept.job_id = job.job_id))"
)


def labelling(dialect: Dialect, jobs: Iterable[facts.WorkflowJob]) -> Conversation[None]:
    """Write the rows of these jobs, which have just been written."""
    if dialect is Dialect.POSTGRESQL:
        return
    # Where there is no comma, there is one label at the most.
    yield from _labelling(job.job_id for job in jobs if "," in job.labels or len(job.labels) > LONGEST_SET)


def _labelling(job_ids: Iterable[int]) -> Conversation[None]:
    # A set that becomes one of the first does so before any of its jobs has rows, of which none would be taken back.
    several = [(job_id,) for job_id in sorted(set(job_ids))]
    yield Statement(_ADD_SET, several)
    yield Statement(_PUT, several)


async def label_jobs(now: datetime) -> int:
    """Write the rows that jobs of the last days lack, as an older version recorded them; return of how many jobs."""
    if current().dialect is Dialect.POSTGRESQL:
        return 0
    begins = [now - LOOKED_BACK + number * A_SLICE for number in range(LOOKED_BACK // A_SLICE + 1)]
    return sum([await current().transact(partial(_label_slice, begin)) for begin in begins])


async def _label_slice(begin: datetime, tx: Transaction) -> int:
    return await tx.converse(_labelling_slice(begin))


def _labelling_slice(begin: datetime) -> Conversation[int]:
    lacking = yield Question(_LACKING_ROWS, (begin, begin + A_SLICE))
    yield from _labelling(job_id for (job_id,) in lacking)
    return len(lacking)
