"""The record made whole: history from before, what GitHub failed to hand over, and what it never sent.

Whatever is asked for is a row; whoever has the time and the budget works it off, and records what GitHub answers
through the recorder like everything else.
"""

from bot.history.deliveries import recover_deliveries
from bot.history.historian import Historian
from bot.history.installations import due_installations, find_installations, sync_installation
from bot.history.pruning import prune_history
from bot.history.requests import ask_for_backfill
from bot.history.scripts import backfill_workflow_runs, following, time_left
from bot.history.sweep import look_back_a_month, look_back_an_hour, sweep
from bot.history.tools import Tools, can_ask_github, opened
from bot.history.wanted import ask_for_jobs

__all__ = [
    "Historian",
    "Tools",
    "ask_for_backfill",
    "ask_for_jobs",
    "backfill_workflow_runs",
    "can_ask_github",
    "due_installations",
    "find_installations",
    "following",
    "look_back_a_month",
    "look_back_an_hour",
    "opened",
    "prune_history",
    "recover_deliveries",
    "sweep",
    "sync_installation",
    "time_left",
]
