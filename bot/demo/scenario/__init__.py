"""The tour: the real service against the simulated GitHub, on a throw-away database."""

from bot.demo.scenario.agreement import Agreement, compare
from bot.demo.scenario.feedback import with_what_is_told
from bot.demo.scenario.stage import Stage, staged
from bot.demo.scenario.tour import run_disasters, run_tour, trickle

__all__ = ["Agreement", "Stage", "compare", "run_disasters", "run_tour", "staged", "trickle", "with_what_is_told"]
