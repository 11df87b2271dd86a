"""What a payload tells, as rows: the same facts from a webhook and from the REST API, versioned by the ordering rule.

The field names are the names of the columns they go to.
"""

from bot.domain.facts.base import NO_TIME, Fact
from bot.domain.facts.installations import Installation, SightChange, installation
from bot.domain.facts.people import ActionWanted, AuthorizationRevoked, action_wanted, authorization_revoked
from bot.domain.facts.pull_requests import PullRequest, PullRequestHead, pull_request
from bot.domain.facts.repositories import (
    Account,
    AccountRename,
    Repository,
    account,
    login_version,
    repository,
    thin_repository,
)
from bot.domain.facts.workflow_jobs import WorkflowJob, workflow_job
from bot.domain.facts.workflow_runs import RunPullRequest, WorkflowRun, workflow_run, workflow_version

Facts = (
    Repository
    | Installation
    | AccountRename
    | WorkflowRun
    | WorkflowJob
    | PullRequest
    | PullRequestHead
    | ActionWanted
    | SightChange
    | AuthorizationRevoked
)

__all__ = [
    "NO_TIME",
    "Account",
    "AccountRename",
    "ActionWanted",
    "AuthorizationRevoked",
    "Fact",
    "Facts",
    "Installation",
    "PullRequest",
    "PullRequestHead",
    "Repository",
    "RunPullRequest",
    "SightChange",
    "WorkflowJob",
    "WorkflowRun",
    "account",
    "action_wanted",
    "authorization_revoked",
    "installation",
    "login_version",
    "pull_request",
    "repository",
    "thin_repository",
    "workflow_job",
    "workflow_run",
    "workflow_version",
]
