"""What is told on GitHub: a commit's check summary, a pull request's comment, and what comes of their buttons."""

from bot.feedback.actions import expire_actions
from bot.feedback.pruning import prune_feedback
from bot.feedback.publisher import Publisher
from bot.feedback.tools import Tools

__all__ = ["Publisher", "Tools", "expire_actions", "prune_feedback"]
