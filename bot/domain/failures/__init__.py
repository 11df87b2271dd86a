"""Which lines of a job's log tell why it failed: one file for each kind of failure, and the ordered rules."""

from bot.domain.failures.registry import RULES
from bot.domain.failures.rule import Rule
from bot.domain.failures.scoring import NOTHING, UNTOLD, Weighed, weigh

__all__ = ["NOTHING", "RULES", "UNTOLD", "Rule", "Weighed", "weigh"]
