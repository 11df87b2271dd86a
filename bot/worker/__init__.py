"""What goes on without anybody asking: deliveries are handled, timed jobs run, history is fetched."""

from bot.worker.worker import Worker, running

__all__ = ["Worker", "running"]
