"""What the handlers of one delivery have found in it."""

from msgspec import Struct, field

from bot.domain import facts

# Asked of each delivery: a tuple of classes is told apart in a quarter of the time that a union takes.
_TELLING_INSTALLATION = (facts.Repository, facts.Installation)


class News(Struct, array_like=True):
    """Handlers add to `told`, or say by `ignored` that nothing acts on this action.

    `made_at` is when GitHub made the delivery by its own word, or 0; `seen_at` falls back on when we received it, for
    what has no time of its own to be ordered by. Both are in microseconds, see `ordering.made_at`. It goes into the
    inbox's journal, so a new field comes last and has a default.
    """

    made_at: int
    seen_at: int
    told: list[facts.Facts] = field(default_factory=list)
    ignored: bool = False

    @property
    def installation_id(self) -> int | None:
        """The installation that the delivery came from, where it says so."""
        for fact in self.told:
            if isinstance(fact, _TELLING_INSTALLATION) and fact.installation_id is not None:
                return fact.installation_id
        return None

    @property
    def about(self) -> dict[str, object]:
        """What a log line about the delivery is bound to: the `installation`, the `repository` and the `run`."""
        about: dict[str, object] = {}
        if self.installation_id is not None:
            about["installation"] = self.installation_id
        for fact in self.told:
            if isinstance(fact, facts.Repository):
                about.setdefault("repository", fact.full_name)
            if isinstance(fact, facts.WorkflowRun | facts.WorkflowJob):
                about.setdefault("run", fact.run_id)
        return about
