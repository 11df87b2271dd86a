"""From a job's log to the lines that matter: cleaning, the region of the step that failed, anchors, an excerpt."""

from bot.domain.excerpts.cleaning import clean, shown
from bot.domain.excerpts.finding import ELLIPSIS, MOST_LINES, Anchor, Excerpt, find_excerpt
from bot.domain.excerpts.naming import Told
from bot.domain.excerpts.steps import Region, failed_region

__all__ = [
    "ELLIPSIS",
    "MOST_LINES",
    "Anchor",
    "Excerpt",
    "Region",
    "Told",
    "clean",
    "failed_region",
    "find_excerpt",
    "shown",
]
