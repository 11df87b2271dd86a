"""What `doctor` asks about an installation of the service, each question a function that answers with faults."""

from bot.checks.findings import Finding
from bot.checks.questions import examine

__all__ = ["Finding", "examine"]
