"""What is written on GitHub, as texts: made by bot/domain/feedback/ from a report, sent by bot/feedback/."""

from msgspec import Struct


class CheckText(Struct, frozen=True):
    """A check run's title and summary in Markdown, the latter at most 60,000 bytes."""

    title: str
    summary: str


class Marker(Struct, frozen=True):
    """What tells our comment from all others, hidden in its first line.

    That is the how-many-th on its pull request it is, and the commit that it is about, None where that is not told.
    """

    number: int
    sequence: int
    is_red: bool
    head_sha: str | None = None
