"""What `doctor` asks about an installation of the service, each question a function that answers with faults."""

from bot.checks.questions import Finding, examine

__all__ = ["Finding", "examine"]
