"""Which lines of a job's log tell why it failed: one file for each kind of failure, and the ordered rules."""

from bot.domain.failures.registry import RULES
from bot.domain.failures.rule import Proof, Reason, Rule
from bot.domain.failures.scoring import NOTHING, UNTOLD, Weighed, fits, weigh

__all__ = ["NOTHING", "RULES", "UNTOLD", "Proof", "Reason", "Rule", "Weighed", "fits", "weigh"]
