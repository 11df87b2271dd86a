"""Rust: rustc, cargo, clippy, rustfmt, nextest, Miri."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "rust",
    (96, "undefined behavior", r"^error: Undefined Behavior: "),
    (95, "error[", r"^error\[[\w-]+\]: "),
    (94, "panicked at", r"^\s*thread '.{0,200}' (?:\(\d+\) )?panicked at \S.{0,200}:\d+:\d+:$", told_by(1)),
    (94, "panicked at", r"^\s*thread '.{0,200}' (?:\(\d+\) )?(?:has )?panicked at "),
    (94, "left", r"assertion .left (?:==|!=) right. failed"),
    (87, "stdout ----", r"^---- (?P<test>\S+) stdout ----"),
    (78, "failed", r"^test (?P<test>\S.{0,200}) \.\.\. FAILED"),
    (95, "--locked| needs to be updated but --frozen", r"lock file .+ needs to be updated but --(?:locked|frozen)"),
    (95, "failed to select a version", r"failed to select a version for"),
    (
        95,
        "requires rustc|is not supported by the following",
        r"requires rustc \d|rustc \S+ is not supported by the following",
    ),
    (93, "failed to", r"^error: failed to (?:get|parse|load|resolve|download|run custom build|read|fetch|verify)"),
    (90, "linking with", r"^error: linking with .+ failed"),
    (90, "diff in", r"^Diff in \S+"),
    (86, "fail|timeout|sig|abort", r"^\s+(?:FAIL|TIMEOUT|SIG\w+|ABORT) \[ *[\d.]+s\] (?P<test>\S.*)$"),
    (94, "(signal: ", r"\(signal: \d+, SIG\w+"),
    (
        88,
        "toolchain|error: component ",
        r"^error: (?:toolchain|component) .+ (?:not installed|unavailable|not available)",
    ),
    (95, "custom build command", r"^error: failed to run custom build command"),
)
