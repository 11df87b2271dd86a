"""The tables. GitHub's numeric ids are the keys that everything is joined by; names change, ids don't.

Each table has a surrogate `id` beside GitHub's, because Tortoise's migrations lose a primary key that is not generated.
Texts that are looked up by value are bounded, so that PostgreSQL can index them.
"""

from bot.store.models.access import (
    ApiToken,
    AuditEntry,
    PendingState,
    Person,
    PersonInstallation,
    PersonRepository,
    Session,
)
from bot.store.models.directory import AccountLogin, Installation, Repository, RepositoryName, RepositorySight, Team
from bot.store.models.feedback import Action, CheckSummary, FailureComment, JobFailure, RepositorySettings
from bot.store.models.history import Backfill, BackfillWindow, DeliveryScan, MissedDelivery, RunWanted
from bot.store.models.inbox import Delivery, JournalEntry
from bot.store.models.processes import Heartbeat, Lease, TimedJob
from bot.store.models.record import (
    PullRequest,
    PullRequestHead,
    RunPullRequest,
    Workflow,
    WorkflowJob,
    WorkflowRun,
    WorkflowRunAttempt,
)
from bot.store.models.setup import AppRegistration, SetupLink
from bot.store.models.sizes import NAME, WORD

__all__ = [
    "NAME",
    "WORD",
    "AccountLogin",
    "Action",
    "ApiToken",
    "AppRegistration",
    "AuditEntry",
    "Backfill",
    "BackfillWindow",
    "CheckSummary",
    "Delivery",
    "DeliveryScan",
    "FailureComment",
    "Heartbeat",
    "Installation",
    "JobFailure",
    "JournalEntry",
    "Lease",
    "MissedDelivery",
    "PendingState",
    "Person",
    "PersonInstallation",
    "PersonRepository",
    "PullRequest",
    "PullRequestHead",
    "Repository",
    "RepositoryName",
    "RepositorySettings",
    "RepositorySight",
    "RunPullRequest",
    "RunWanted",
    "Session",
    "SetupLink",
    "Team",
    "TimedJob",
    "Workflow",
    "WorkflowJob",
    "WorkflowRun",
    "WorkflowRunAttempt",
]
