"""What a machine runs out of, and how processes die of it."""

from bot.domain.failures.rule import rules

RULES = rules(
    "resources",
    (
        98,
        "no space left on device|enospc|disk quota exceeded",
        r"No space left on device|\bENOSPC\b|Disk quota exceeded",
    ),
    (98, "not enough space|disk full|disk is full", r"(?i)not enough space on the disk|\bdisk (?:is )?full\b"),
    (96, "out of memory|cannot allocate memory|enomem", r"(?i)\bout of memory\b|cannot allocate memory|\bENOMEM\b"),
    (
        95,
        "killed",
        r"^(?:.{0,200}: line \d+: +\d+ )?Killed\b|\bsignal: killed\b|[Kk]illed by signal 9|^\[\d+\]\s+\d+ killed",
    ),
    (85, "oom", r"\boom[-_ ]?kill|\bOOM\b"),
    (95, "segmentation fault|access violation", r"[Ss]egmentation fault|[Aa]ccess violation"),
    (93, "bus error|illegal instruction", r"\bBus error\b|\bIllegal instruction\b"),
    (88, "core dumped", r"\(core dumped\)"),
    (94, "too many open files|emfile", r"[Tt]oo many open files|\bEMFILE\b"),
    (93, "resource temporarily unavailable", r"Resource temporarily unavailable"),
    (92, "sigkill|sigsegv|sigabrt", r"\bSIG(?:KILL|SEGV|ABRT)\b"),
    (42, "exit code 13", r"exit code (?:137|139|134)\b"),
    (94, "could not allocate|failed to allocate|bad_alloc", r"(?:[Cc]ould not|[Ff]ailed to) allocate|bad_alloc"),
    ignore_case=True,
)
