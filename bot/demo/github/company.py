"""A believable organisation: its people, repositories, workflows and runners, and what they are working on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from bot.demo.github.state.actions import JobSpec

if TYPE_CHECKING:
    from bot.demo.github.simulation import SimulatedGitHub
    from bot.demo.github.state.accounts import Account
    from bot.demo.github.state.repositories import Repository

LOGIN = "harbour-works"

PEOPLE = (
    ("ines-okafor", "Ines Okafor"),
    ("tomasz-w", "Tomasz Wrona"),
    ("priya-raman", "Priya Raman"),
    ("lukas-berg", "Lukas Berg"),
)
STRANGERS = (("kestrel42", "Dana Kestrel"), ("m-duarte", "Miguel Duarte"))

TITLES: dict[str, tuple[str, ...]] = {
    "uploader": (
        "Add retry to uploader",
        "Resume interrupted multipart uploads",
        "Stream checksums instead of buffering whole files",
        "Drop Python 3.10",
        "Fix off-by-one in chunk ranges",
        "Report progress in bytes per second",
        "Cache presigned URLs until they expire",
        "Bump botocore from 1.36.2 to 1.36.9",
    ),
    "web-console": (
        "Show upload speed in the sidebar",
        "Keep filters in the address bar",
        "Replace moment with date-fns",
        "Fix focus trap in the share dialog",
        "Virtualise the file table",
        "Translate the empty states",
        "Dark theme for charts",
    ),
    "platform-infra": (
        "Raise the connection limit of the staging database",
        "Rotate the CDN certificates",
        "Move the workers to arm64",
        "Alert on queue age instead of length",
        "Split the network module",
    ),
}

_OWN_RUNNERS = ("self-hosted", "linux", "x64")
_CHECKOUT = "Run actions/checkout@v4"
_PYTHON = (_CHECKOUT, "Set up Python", "Install dependencies")
_NODE = (_CHECKOUT, "Set up Node.js", "Run npm ci")


def _matrix() -> tuple[JobSpec, ...]:
    pairs = [(system, version) for system in ("ubuntu-latest", "macos-latest") for version in ("3.11", "3.12", "3.13")]
    return tuple(
        JobSpec(f"test ({system}, {version})", (*_PYTHON, "Run pytest"), labels=(system,)) for system, version in pairs
    )


@dataclass(frozen=True, slots=True)
class _WorkflowPlan:
    name: str
    path: str
    on: tuple[str, ...]
    jobs: tuple[JobSpec, ...]


_BOTH = ("push", "pull_request")
_TESTS = _matrix()

_UPLOADER = (
    _WorkflowPlan(
        "CI",
        ".github/workflows/ci.yml",
        _BOTH,
        (*_TESTS, JobSpec("build wheel", (*_PYTHON, "Build"), needs=tuple(job.name for job in _TESTS))),
    ),
    _WorkflowPlan(
        "Lint",
        ".github/workflows/lint.yml",
        _BOTH,
        (JobSpec("ruff", (*_PYTHON, "Run ruff")), JobSpec("mypy", (*_PYTHON, "Run mypy"))),
    ),
    _WorkflowPlan(
        "Deploy",
        ".github/workflows/deploy.yml",
        ("push",),
        (
            JobSpec("build image", (_CHECKOUT, "Log in to the registry", "Build and push")),
            JobSpec(
                "release / production",
                ("Pull image", "Roll out", "Smoke test"),
                needs=("build image",),
                environment="production",
            ),
        ),
    ),
)
# Two workflows of this repository share a name, as GitHub allows.
_WEB_CONSOLE = (
    _WorkflowPlan(
        "CI",
        ".github/workflows/ci.yml",
        _BOTH,
        (
            *(JobSpec(f"unit ({shard}/3)", (*_NODE, "Run vitest")) for shard in (1, 2, 3)),
            JobSpec("typecheck", (*_NODE, "Run tsc")),
        ),
    ),
    _WorkflowPlan(
        "CI",
        ".github/workflows/e2e.yml",
        ("pull_request",),
        tuple(
            JobSpec(
                f"e2e ({browser})",
                (*_NODE, "Install browsers", "Run playwright"),
                _OWN_RUNNERS,
            )
            for browser in ("chromium", "firefox")
        ),
    ),
)
_INFRA = (
    _WorkflowPlan(
        "Plan",
        ".github/workflows/plan.yml",
        _BOTH,
        tuple(
            JobSpec(f"plan ({where})", (_CHECKOUT, "Set up Terraform", "Validate", "Plan"))
            for where in ("staging", "production")
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class _RepositoryPlan:
    name: str
    description: str
    language: str
    workflows: tuple[_WorkflowPlan, ...]
    private: bool = False


_REPOSITORIES = (
    _RepositoryPlan("uploader", "Moves large files to object storage", "Python", _UPLOADER),
    _RepositoryPlan("web-console", "The console that customers see", "TypeScript", _WEB_CONSOLE),
    _RepositoryPlan("platform-infra", "Everything as code", "HCL", _INFRA, private=True),
)


@dataclass(slots=True)
class Company:
    """The organisation with its repositories by name, its people, and strangers who contribute from forks."""

    organization: Account
    people: list[Account]
    strangers: list[Account]
    repositories: dict[str, Repository] = field(default_factory=dict)
    stories_played: int = 0


def found(github: SimulatedGitHub, login: str = LOGIN) -> Company:
    """Set up the organisation, a year old, with its three repositories, their workflows and two self-hosted runners.

    The first of its people is its owner.
    """
    with github.at(github.clock.now() - timedelta(days=365)):
        company = Company(
            github.add_organization(login, "Harbour Works"),
            [github.add_user(*person) for person in PEOPLE],
            [github.add_user(*person) for person in STRANGERS],
        )
        github.people.add_owner(company.organization, company.people[0])
        for person in company.people[1:]:
            github.add_member(company.organization, person)
        for plan in _REPOSITORIES:
            company.repositories[plan.name] = _create(github, company.organization, plan)
        for number in (1, 2):
            github.actions.add_runner(f"quay-{number}", "Quayside", _OWN_RUNNERS)
    return company


def _create(github: SimulatedGitHub, owner: Account, plan: _RepositoryPlan) -> Repository:
    repository = github.repositories.create(
        owner, plan.name, description=plan.description, language=plan.language, private=plan.private
    )
    for workflow in plan.workflows:
        github.actions.add_workflow(repository, workflow.name, workflow.path, workflow.jobs, workflow.on)
    return repository
