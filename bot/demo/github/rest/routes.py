"""The one table of routes: each of GitHub's operations that the simulation knows, and who may use it.

Every `/repos/{owner}/{repo}` is there as `/repositories/{repository_id}` too, which is where GitHub's redirects lead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.demo.github.rest import (
    app,
    check_runs,
    comments,
    installations,
    manifests,
    oauth,
    pulls,
    rate_limit,
    repositories,
    workflow_jobs,
    workflow_runs,
)
from bot.demo.github.rest.answers import Answer
from bot.demo.github.rest.asking import Ask
from bot.demo.github.rest.callers import CallerKind

Handler = Callable[[Ask], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation; `operation` is GitHub's own id, empty for what lies with the pages and not under the API.

    `needs` are the permissions of which a token must have one, like `actions:read`.
    """

    method: str
    path: str
    operation: str
    handler: Handler
    callers: frozenset[CallerKind]
    needs: tuple[str, ...] = ()
    counted: bool = True


_APP: frozenset[CallerKind] = frozenset({"app"})
_INSTALLATION: frozenset[CallerKind] = frozenset({"installation"})
_READERS: frozenset[CallerKind] = frozenset({"installation", "user"})
_USER: frozenset[CallerKind] = frozenset({"user"})
_CLIENT: frozenset[CallerKind] = frozenset({"client"})
ANYBODY: frozenset[CallerKind] = frozenset({"nobody", "app", "installation", "user"})

_COMMENTS_READ = ("issues:read", "pull_requests:read")
_COMMENTS_WRITE = ("issues:write", "pull_requests:write")


def _app(method: str, path: str, operation: str, handler: Handler) -> Route:
    return Route(method, path, operation, handler, _APP)


def _user(path: str, operation: str, handler: Handler) -> Route:
    return Route("GET", path, operation, handler, _USER)


def _client(method: str, path: str, operation: str, handler: Handler) -> Route:
    return Route(method, f"/applications/{{client_id}}{path}", operation, handler, _CLIENT)


def _free(method: str, path: str, operation: str, handler: Handler) -> Route:
    return Route(method, path, operation, handler, ANYBODY, counted=False)


def _read(path: str, operation: str, handler: Handler, *needs: str) -> Route:
    return Route("GET", f"/repos/{{owner}}/{{repo}}{path}", operation, handler, _READERS, needs)


def _write(method: str, path: str, operation: str, handler: Handler, *needs: str) -> Route:
    return Route(method, f"/repos/{{owner}}/{{repo}}{path}", operation, handler, _INSTALLATION, needs)


_RUN, _JOB = "/actions/runs/{run_id}", "/actions/jobs/{job_id}"
_OF_REPOSITORIES = (
    _read("", "repos/get", repositories.get, "metadata:read"),
    _read(
        "/collaborators/{username}/permission",
        "repos/get-collaborator-permission-level",
        repositories.get_collaborator_permission_level,
        "metadata:read",
    ),
    _read(
        "/actions/runs",
        "actions/list-workflow-runs-for-repo",
        workflow_runs.list_workflow_runs_for_repo,
        "actions:read",
    ),
    _read(_RUN, "actions/get-workflow-run", workflow_runs.get_workflow_run, "actions:read"),
    _read(
        f"{_RUN}/attempts/{{attempt_number}}",
        "actions/get-workflow-run-attempt",
        workflow_runs.get_workflow_run_attempt,
        "actions:read",
    ),
    _read(
        f"{_RUN}/attempts/{{attempt_number}}/jobs",
        "actions/list-jobs-for-workflow-run-attempt",
        workflow_jobs.list_jobs_for_workflow_run_attempt,
        "actions:read",
    ),
    _read(
        f"{_RUN}/jobs", "actions/list-jobs-for-workflow-run", workflow_jobs.list_jobs_for_workflow_run, "actions:read"
    ),
    _write("POST", f"{_RUN}/rerun", "actions/re-run-workflow", workflow_runs.re_run_workflow, "actions:write"),
    _write(
        "POST",
        f"{_RUN}/rerun-failed-jobs",
        "actions/re-run-workflow-failed-jobs",
        workflow_runs.re_run_workflow_failed_jobs,
        "actions:write",
    ),
    _write("POST", f"{_RUN}/cancel", "actions/cancel-workflow-run", workflow_runs.cancel_workflow_run, "actions:write"),
    _read(_JOB, "actions/get-job-for-workflow-run", workflow_jobs.get_job_for_workflow_run, "actions:read"),
    _read(
        f"{_JOB}/logs",
        "actions/download-job-logs-for-workflow-run",
        workflow_jobs.download_job_logs_for_workflow_run,
        "actions:read",
    ),
    _write(
        "POST",
        f"{_JOB}/rerun",
        "actions/re-run-job-for-workflow-run",
        workflow_jobs.re_run_job_for_workflow_run,
        "actions:write",
    ),
    _read("/actions/workflows", "actions/list-repo-workflows", workflow_runs.list_repo_workflows, "actions:read"),
    _read("/actions/workflows/{workflow_id}", "actions/get-workflow", workflow_runs.get_workflow, "actions:read"),
    _read(
        "/actions/workflows/{workflow_id}/runs",
        "actions/list-workflow-runs",
        workflow_runs.list_workflow_runs,
        "actions:read",
    ),
    _write("POST", "/check-runs", "checks/create", check_runs.create, "checks:write"),
    _write("PATCH", "/check-runs/{check_run_id}", "checks/update", check_runs.update, "checks:write"),
    _read("/check-runs/{check_run_id}", "checks/get", check_runs.get, "checks:read"),
    _read(
        "/check-runs/{check_run_id}/annotations", "checks/list-annotations", check_runs.list_annotations, "checks:read"
    ),
    _read("/commits/{ref:.+}/check-runs", "checks/list-for-ref", check_runs.list_for_ref, "checks:read"),
    _write(
        "POST",
        "/check-suites/{check_suite_id}/rerequest",
        "checks/rerequest-suite",
        check_runs.rerequest_suite,
        "checks:write",
    ),
    _read("/pulls", "pulls/list", pulls.list_pulls, "pull_requests:read"),
    _read("/pulls/{pull_number}", "pulls/get", pulls.get, "pull_requests:read"),
    _read(
        "/commits/{commit_sha}/pulls",
        "repos/list-pull-requests-associated-with-commit",
        repositories.list_pull_requests_associated_with_commit,
        "pull_requests:read",
    ),
    _read("/issues/{issue_number}/labels", "issues/list-labels-on-issue", pulls.list_labels_on_issue, *_COMMENTS_READ),
    _read("/issues/{issue_number}/comments", "issues/list-comments", comments.list_comments, *_COMMENTS_READ),
    _write(
        "POST", "/issues/{issue_number}/comments", "issues/create-comment", comments.create_comment, *_COMMENTS_WRITE
    ),
    _read("/issues/comments/{comment_id}", "issues/get-comment", comments.get_comment, *_COMMENTS_READ),
    _write(
        "PATCH", "/issues/comments/{comment_id}", "issues/update-comment", comments.update_comment, *_COMMENTS_WRITE
    ),
    _write(
        "DELETE", "/issues/comments/{comment_id}", "issues/delete-comment", comments.delete_comment, *_COMMENTS_WRITE
    ),
)

_OF_THE_APP = (
    _app("GET", "/app", "apps/get-authenticated", app.get_authenticated),
    _app("GET", "/app/hook/config", "apps/get-webhook-config-for-app", app.get_webhook_config),
    _app("GET", "/app/hook/deliveries", "apps/list-webhook-deliveries", app.list_webhook_deliveries),
    _app("GET", "/app/hook/deliveries/{delivery_id}", "apps/get-webhook-delivery", app.get_webhook_delivery),
    _app(
        "POST",
        "/app/hook/deliveries/{delivery_id}/attempts",
        "apps/redeliver-webhook-delivery",
        app.redeliver_webhook_delivery,
    ),
    _app("GET", "/app/installations", "apps/list-installations", installations.list_installations),
    _app("GET", "/app/installations/{installation_id}", "apps/get-installation", installations.get_installation),
    _app(
        "POST",
        "/app/installations/{installation_id}/access_tokens",
        "apps/create-installation-access-token",
        installations.create_installation_access_token,
    ),
    _app(
        "GET", "/repos/{owner}/{repo}/installation", "apps/get-repo-installation", installations.get_repo_installation
    ),
)

_OF_CALLERS = (
    Route(
        "GET",
        "/installation/repositories",
        "apps/list-repos-accessible-to-installation",
        installations.list_repos_accessible_to_installation,
        _INSTALLATION,
        ("metadata:read",),
    ),
    _user("/user", "users/get-authenticated", oauth.get_authenticated),
    _user(
        "/user/installations",
        "apps/list-installations-for-authenticated-user",
        installations.list_installations_for_user,
    ),
    _user(
        "/user/installations/{installation_id}/repositories",
        "apps/list-installation-repos-for-authenticated-user",
        installations.list_installation_repos_for_user,
    ),
    _client("POST", "/token", "apps/check-token", oauth.check_token),
    _client("DELETE", "/token", "apps/delete-token", oauth.delete_token),
    _client("DELETE", "/grant", "apps/delete-authorization", oauth.delete_authorization),
)

_FREE = (
    _free("GET", "/rate_limit", "rate-limit/get", rate_limit.get),
    _free("POST", "/app-manifests/{code}/conversions", "apps/create-from-manifest", manifests.create_from_manifest),
    _free("POST", "/login/oauth/access_token", "", oauth.access_token),
)


def _by_id(route: Route) -> Route:
    return replace(route, path=route.path.replace("/repos/{owner}/{repo}", "/repositories/{repository_id}", 1))


ROUTES: tuple[Route, ...] = (
    *_OF_THE_APP,
    *_OF_CALLERS,
    *_FREE,
    *_OF_REPOSITORIES,
    *(_by_id(route) for route in _OF_REPOSITORIES),
)
