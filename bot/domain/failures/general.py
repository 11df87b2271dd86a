"""What errors look like whatever tool they come from."""

from bot.domain.failures.rule import rules

RULES = rules(
    "general",
    (
        87,
        "error|exception|exit|interrupt|failure|timeout",
        (
            r"^(?:Uncaught )?(?:[A-Za-z_$][\w$]*(?:\.|::))*[A-Z][\w$]*(?:Error|Exception|Failure|"
            r"Timeout)(?: \[\w+\])?(?:: |$)"
        ),
    ),
    (
        84,
        "error: ",
        r"^\s{0,6}error: (?!could not compile|aborting due|test failed|process didn't|build failed|\d+ target)\S",
    ),
    (83, "error: |fatal: ", r"^(?:ERROR|FATAL|Fatal): \S"),
    (82, "error|exception", r"^\s+(?:[A-Za-z_$][\w$]*(?:\.|::))*[A-Z][\w$]*(?:Error|Exception)(?: \[\w+\])?: \S"),
    (80, "error: ", r"^\s+Error: \S"),
    (79, "##[error]", r"^##\[error\](?!Process completed|The process|.{0,30}failed with exit code)\S"),
    (78, "error|fatal: |fatal[", r"^\s*(?:[\w./-]{1,60}: )?(?i:fatal error|fatal|error)(?:\[\S+\])?: \S"),
    (72, "error|fatal|critical|severe|panic|err", r"^\W*(?:ERROR|FATAL|CRITICAL|SEVERE|PANIC|ERR)\b"),
    (70, "error", r"^\s*\W{0,3}\s*Error\b"),
    (70, "fail", r"^\s*\W{0,4}\s*(?:FAIL|FAILED|FAILURE|Failed|Failure)\b\W"),
    (83, "assertionerror", r"\bAssertionError\b"),
    (69, "✗|✘|✖|×|❌", r"^\s*[✗✘✖×❌]"),
    (66, "fail", r"^\W{0,5}(?:failure|failed)\b[: ]"),
    (67, "fail|not ok", r"\bFAILED$|\.\.\. ?(?i:failed|fail)\b|\[(?i:fail(?:ed|ure)?)\]|: FAIL(?:ED)?\b|\bnot ok\b"),
    # What tools that are not known say of a place in a file.
    (
        53,
        ":",
        r"^\S{1,200}\.\w{1,8}:\d+(?::\d+)?:?\s+(?!(?i:.{0,200}(?:warning|note:|info\b|deprecat)))\S",
    ),
    (64, "expected", r"(?i)\bexpected\b.{1,200}\b(?:got|actual|but|received|found|was|to (?:be|equal|match))\b"),
    (
        62,
        "error|fatal|critical|severe|panic",
        r"(?:^|[\s\[|])(?:ERROR|FATAL|CRITICAL|SEVERE)(?:$|[\s\]:|])|(?i:level\"?[=:] ?\"?(?:error|fatal|panic))",
    ),
    (58, "error: ", r"\b(?i:error): \S"),
    (57, "exception", r"\b\w+Exception\b"),
    (57, "error", r"\b[A-Z]\w+Error\b"),
    (
        52,
        "unable to|failed to|could not|couldn't|cannot|can't",
        r"(?i)\b(?:unable to|failed to|could not|couldn't|cannot|can't)\b",
    ),
    (
        50,
        "not found|does not exist|doesn't exist|no such|is required|undefined|unknown|unresolved|missing",
        r"(?i)\b(?:not found|does(?: not|n't) exist|no such|is required|undefined|unknown|unresolved|missing)\b",
    ),
    (
        48,
        "invalid|unexpected|mismatch|must |refused|denied|not allowed|forbidden|conflict|exceed|violat|differ|outdated",
        (
            r"(?i)\b(?:invalid|unexpected|mismatch|must (?:be|not|have)|refused|denied|not allowed|forbidden|"
            r"conflicts?|exceed(?:s|ed)?|violat\w+|differs?|differences?|outdated)\b"
        ),
    ),
    (46, "timed out|timeout|aborted|aborting|crash", r"(?i)\b(?:timed out|timeout|abort(?:ed|ing)|crash(?:ed)?)\b"),
    (42, "error", r"(?i)\berrors?\b"),
    (40, "fail", r"(?i)\bfail(?:ed|ure|ures|s|ing)?\b"),
    (26, "exit", r"(?i)\bexit(?:ed|ing)?\b.{0,30}\b(?:code|status)?:? ?[1-9]\d{0,2}\b"),
)
