"""Data: dbt, and the tools that migrate and check databases."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "data",
    (
        93,
        " error",
        r"^\s*(?:Database|Compilation|Runtime|Parsing|Dependency|Syntax|Validation) Error(?: in \w+ .{1,200} \(.+\))?$",
        told_by(1),
    ),
    (92, "failure in ", r"^\s*Failure in (?:unit )?test (?P<test>\w+)"),
    (85, "encountered an error:", r"^\s*Encountered an error:$", told_by(1)),
    (93, "migration checksum mismatch", r"Migration checksum mismatch"),
    (92, "message", r"^Message\s+: \S"),
    (92, "running liquibase", r"^Unexpected error running Liquibase: \S"),
    (93, "failed: ", r"^FAILED: (?:Can't|Multiple|Target|No such)\b"),
)
