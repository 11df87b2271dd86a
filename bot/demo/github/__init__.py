"""A simulated GitHub: organisations, pull requests and workflow runs that live, and the webhooks that tell of them.

`state` holds the entities, `operations` move them as people and machines do on GitHub, `payloads` renders them as
GitHub's JSON, `webhooks` signs and delivers, `rest` answers requests as strictly as GitHub, `pages` are for people at a
browser, `faults`, `rest.faults` and `outages` say what goes wrong on the way, `truth` what a receiver ought to know in
the end, and `activity` plays believable days of work. Nothing here knows the service that listens.
"""

from bot.demo.github.faults import Delay, Duplicate, Fail, FaultRates, NeverSent, NoFaults, ScriptedFaults
from bot.demo.github.operations.refusal import Refused
from bot.demo.github.passing import let_pass
from bot.demo.github.simulation import SimulatedGitHub
from bot.demo.github.state.actions import JobSpec
from bot.demo.github.state.history import Past

__all__ = [
    "Delay",
    "Duplicate",
    "Fail",
    "FaultRates",
    "JobSpec",
    "NeverSent",
    "NoFaults",
    "Past",
    "Refused",
    "ScriptedFaults",
    "SimulatedGitHub",
    "let_pass",
]
