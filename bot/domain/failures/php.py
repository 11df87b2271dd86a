"""PHP: PHPUnit, Pest, static analysis, Composer."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "php",
    (95, "failed asserting", r"Failed asserting that (?!(?:false is true|true is false)\.$)"),
    (93, "failed asserting", r"Failed asserting that ", told_by(-1, r"^\s*[A-Z]\S*(?: \S+)+[.!?]$")),
    (96, "fatal error|parse error", r"(?:PHP )?(?:Fatal|Parse) error: "),
    (91, "::", r"^\d+\) (?P<test>[\w\\]+::\w+.*)$"),
    (91, "failed", r"^\s*FAILED\s+(?P<test>[\w\\]+ > .+)$"),
    (80, "⨯", r"^\s*⨯ (?P<test>\S.*)$"),
    (78, ".php", r"^\s+Line\s+\S+\.php"),
    (80, "", r"^ {1,3}:?\d+ {3,}[A-Z]\S* .*\S"),
    (94, "error: ", r"^ERROR: (?:\w+ - )?\S+:\d+:\d+(?: - |: )"),
    (93, " error ", r"^\s+\d+ \| ERROR +\| "),
    (60, "found ", r"^FOUND \d+ ERRORS? "),
    (86, ".php", r"^\s+\d+\) \S+\.php"),
    (90, "could not be resolved to an installable", r"requirements could not be resolved to an installable set"),
    (94, "- root composer.json requires", r"^\s*- Root composer\.json requires "),
    (94, "problem 1", r"^\s+Problem 1$", told_by(1, r"^\s+- \S")),
    (93, ":error - ", r"^\S{1,200}:\d+:\d+:error - \S"),
    (94, "lock file", r"lock file (?:is not up to date|does not contain a compatible set)"),
    (94, "sqlstate[", r"SQLSTATE\["),
    (89, " line ", r"^In \S+\.php line \d+:"),
    (20, "returned with error code", r"Script .+ returned with error code"),
)
