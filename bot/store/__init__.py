"""The record: models, migrations, and the connections that everything else is built on."""

from bot.store.database import connected

__all__ = ["connected"]
