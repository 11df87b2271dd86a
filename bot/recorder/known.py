"""What is known anyway, said again so that the recorder finds its way."""

from bot.domain import facts, ordering
from bot.store import models


def repository_as_known(repository: models.Repository) -> facts.Repository:
    """Return what is known of a repository anyway, so that the recorder finds its team and changes nothing."""
    return facts.Repository(
        repository_id=repository.repository_id,
        full_name=repository.full_name,
        owner=None,
        installation_id=repository.installation_id,
        private=repository.private,
        version=ordering.NO_VERSION,
    )
