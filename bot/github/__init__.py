"""GitHub's REST API: who we are, what we may ask and when, and a file for each resource.

Only this room makes requests to GitHub. `GitHub` gives clients, which the functions of the resources take.
"""

from bot.github.answers import Answer, Json
from bot.github.budget import Outlook
from bot.github.client import Client, GitHub
from bot.github.ledger import Lane
from bot.github.rights import InProcessRights, WriteRights

__all__ = ["Answer", "Client", "GitHub", "InProcessRights", "Json", "Lane", "Outlook", "WriteRights"]
