"""Whose a repository's name is: one that was given up may be another's before anything has told so."""

from bot.github import Answer, Client, Json, repositories
from bot.github.errors import GitHubError
from bot.history.reading import is_run_of
from bot.store import models


class NameTaken(GitHubError):
    """The name that is asked about is another repository's by now: this one was renamed, and nothing has told so."""


class NotListed(GitHubError):
    """GitHub does not find a list of a repository's, though the repository is there."""


def check_runs(answer: Answer[list[Json]], repository: models.Repository) -> None:
    """Raise NameTaken where all runs of a page are of another repository; a page without any tells nothing."""
    if answer.data and not any(is_run_of(body, repository.repository_id) for body in answer.data):
        raise _taken(repository)


async def check_name(client: Client, repository: models.Repository) -> None:
    """Ask GitHub for the repository by its name. Raises NameTaken, or NotFound where there is none to be seen."""
    answer = await repositories.get_repository(client, repository.full_name)
    if answer.data.get("id") != repository.repository_id:
        raise _taken(repository)


def _taken(repository: models.Repository) -> NameTaken:
    return NameTaken(f"{repository.full_name} is another repository by now")
