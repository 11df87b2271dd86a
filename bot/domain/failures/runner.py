"""Runners and limits of time: what ends a job from outside."""

from bot.domain.failures.rule import rules

RULES = rules(
    "runner",
    (99, "lost communication", r"lost communication with the server"),
    (98, "shutdown signal", r"[Rr]unner has received a shutdown signal"),
    (97, "maximum execution time", r"exceeded the maximum execution time"),
    (97, "has timed out after", r"The action .+ has timed out after \d+ minutes"),
    (97, "was not acquired|no runner matching", r"job was not acquired by|[Nn]o runner matching"),
    (96, "runner was shut|being preempted|spot instance", r"runner was shut|being preempted|[Ss]pot instance"),
    (
        96,
        "system.io.ioexception|worker has crashed|worker crashed",
        r"System\.IO\.IOException|[Ww]orker (?:has )?crashed",
    ),
    (90, "higher priority waiting|job was cancel", r"job was cancel\w+ because|higher priority waiting"),
    (60, "operation was canceled|the operation was cancelled", r"The operation was cancell?ed"),
    (92, "timed out after|timeout after|deadline exceeded", r"(?i)tim(?:ed out|eout) after [\d.]+ ?\w+"),
    (42, "exit code 124|exit code 143", r"exit code (?:124|143)\b"),
    ignore_case=True,
)
