"""What people see on the simulated GitHub, as one Markdown text that is the same however the post went."""

import re
from collections.abc import Iterator
from itertools import zip_longest

from bot.demo.github import SimulatedGitHub
from bot.demo.github.state.checks import Annotation, CheckRun
from bot.demo.github.state.repositories import PullRequest, Repository

NAME = "CI summary"
_HOSTED_RUNNER = re.compile(r"GitHub Actions \d+")
_LONG_NUMBER = re.compile(r"\d{8,}")


def shown(github: SimulatedGitHub) -> str:
    """Return the newest check summary of each commit on which something ran, and the comments of each pull request.

    Ids, which depend on how much was written before, are replaced by what they name.
    """
    lines = [*_commits(github), *_pulls(github)]
    text = "\n".join(lines).replace(github.world.addresses.html, "https://github.com").rstrip() + "\n"
    names = _names(github)
    text = _HOSTED_RUNNER.sub("GitHub Actions <number>", text)
    return _LONG_NUMBER.sub(lambda found: names.get(found[0], found[0]), text)


def newest_check(github: SimulatedGitHub, repository: Repository, sha: str) -> CheckRun | None:
    """Return the check summary that stands on a commit."""
    found = [
        check
        for check in github.world.check_runs.values()
        if check.repository is repository and check.suite.head_sha == sha and check.name == NAME
    ]
    return max(found, key=lambda check: check.id, default=None)


def _names(github: SimulatedGitHub) -> dict[str, str]:
    names = {}
    for run in github.world.runs.living.values():
        names[str(run.id)] = f"<{run.workflow.name} {run.number}>"
        for job in run.all_jobs():
            names[str(job.id)] = f"<{run.workflow.name} {run.number}.{job.attempt.number} {job.name}>"
    names |= {str(check.id): f"<{check.name}>" for check in github.world.check_runs.values()}
    names |= {str(comment.id): "<comment>" for comment in github.world.comments.values()}
    return names


def _commits(github: SimulatedGitHub) -> Iterator[str]:
    for repository, sha, where in _places(github):
        yield f"# {repository.full_name}, commit {sha[:7]} of {where}"
        yield ""
        check = newest_check(github, repository, sha)
        yield from [f"No {NAME}.", ""] if check is None else _check(github, check)


def _places(github: SimulatedGitHub) -> Iterator[tuple[Repository, str, str]]:
    """Yield each commit on which something ran or that we told something of, oldest first, and what it belongs to."""
    places: dict[tuple[Repository, str], str] = {}
    for run in sorted(github.world.runs.living.values(), key=lambda run: (run.created_at, run.id)):
        pulls = github.world.pulls_that_had(run.repository, run.head.sha)
        numbers = ", ".join(f"pull request {pull.number}" for pull in pulls)
        places.setdefault((run.repository, run.head.sha), numbers or run.head_branch)
    for suite in github.world.check_suites.values():
        places.setdefault((suite.repository, suite.head_sha), "nothing that ran")
    yield from ((repository, sha, where) for (repository, sha), where in places.items())


def _check(github: SimulatedGitHub, check: CheckRun) -> Iterator[str]:
    state = check.status if check.conclusion is None else f"{check.status}, {check.conclusion}"
    yield f"## {check.name}: {state}"
    yield ""
    yield f"Title: {check.title}"
    for button in check.actions:
        yield f"Button: [{button.label}] {button.description} ({button.identifier})"
    for note in github.world.annotations[check.id]:
        yield _annotation(note)
    for part in (check.summary, check.text):
        if part:
            yield from ("", "~~~~~~ markdown", part.rstrip(), "~~~~~~")
    yield ""


def _annotation(note: Annotation) -> str:
    lines = str(note.start_line) if note.start_line == note.end_line else f"{note.start_line}-{note.end_line}"
    title = f" [{note.title}]" if note.title else ""
    return f"Annotation: {note.annotation_level} {note.path}:{lines}{title} {note.message}"


def _pulls(github: SimulatedGitHub) -> Iterator[str]:
    for pull in sorted(github.world.pull_requests.values(), key=lambda pull: (pull.repository.id, pull.number)):
        yield f"# {pull.repository.full_name}, pull request {pull.number} {_state(pull)}"
        yield ""
        comments = github.comments.of(pull)
        if not comments:
            yield from ("No comment.", "")
        for comment in comments:
            yield from (
                f"## Comment by {comment.user.login}",
                "",
                "~~~~~~ markdown",
                comment.body.rstrip(),
                "~~~~~~",
                "",
            )


def _state(pull: PullRequest) -> str:
    told = ["merged" if pull.merged_at else pull.state]
    told += [name for name, holds in (("draft", pull.draft), ("locked", pull.locked)) if holds]
    told += [label.name for label in pull.labels]
    fork = f" from {pull.head_repository.full_name}" if pull.from_fork else ""
    return f"({', '.join(told)}){fork}"


def difference(expected: str, found: str) -> str:
    """Return the first lines in which two texts differ, for a failed comparison."""
    pairs = enumerate(zip_longest(expected.splitlines(), found.splitlines()), start=1)
    differing = [f"{number}: {one!r}\n   is {other!r}" for number, (one, other) in pairs if one != other]
    return "\n".join(differing[:10])
