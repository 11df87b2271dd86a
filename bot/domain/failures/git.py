"""Git, its hosts, and what keeps a push or a fetch from going through."""

from bot.domain.failures.rule import rules

RULES = rules(
    "git",
    (96, "gh", r"\bGH\d{3}: "),
    (95, "(publickey|host key verification", r"Permission denied \(publickey|Host key verification failed"),
    (95, "remote rejected", r"! \[remote rejected\]"),
    (94, "[rejected]", r"! \[rejected\]"),
    (95, "conflict (", r"^CONFLICT \([\w/ -]+\): "),
    (94, "remote: ", r"remote: (?:Permission to .+ denied|Repository not found|Invalid username|Write access|error: )"),
    (93, "pathspec", r"error: pathspec "),
    (92, "identity unknown|please tell me who you are", r"identity unknown|Please tell me who you are"),
    (95, "data quota", r"over its data quota"),
    (93, "smudge error|smudge filter", r"[Ss]mudge error|smudge filter lfs failed"),
    (70, "failed to push some refs", r"failed to push some refs"),
    (86, "fatal: ", r"^(?:\w+\]|##\[error\])?fatal: \S"),
    (
        93,
        "would be overwritten|could not apply|patch does not apply",
        r"would be overwritten by|^error: could not apply|patch does not apply",
    ),
    (
        36,
        "/git' failed|git' failed with exit code|git.exe' failed with exit code",
        r"The process '.*git(?:\.exe)?' failed with exit code",
    ),
    (95, "detected dubious ownership", r"detected dubious ownership"),
    ignore_case=True,
)
