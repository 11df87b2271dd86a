"""Go: the compiler, modules, tests, and the linters around it."""

from bot.domain.failures.rule import proven_by, rules, told_by

RULES = rules(
    "go",
    (96, "test timed out after", r"^panic: test timed out after"),
    (95, "panic: ", r"^panic: ", proven_by(1, r"^goroutine \d|^\[signal |^\s+panic: ", otherwise=93)),
    (94, "fatal error: ", r"^fatal error: (?:all goroutines|concurrent map|stack overflow|out of memory|unexpected)"),
    (95, "data race", r"^WARNING: DATA RACE"),
    (93, ".go:", r"^(?:vet: |  )?\S{1,200}\.go:\d+:\d+: \S"),
    (93, "_test.go:", r"^(?:  )?\S{1,200}_test\.go:\d+: \S"),
    (70, ".go:", r"^(?:  )?\S{1,200}\.go:\d+: \S"),
    (92, "error:", r"^\s+Error:\s{3,}\S"),
    (90, "--- fail", r"^\s*--- FAIL: (?P<test>\S+)", told_by(1, r"^got:$|^\s+\S+_test\.go:\d+: \S")),
    (91, "=== fail", r"^=== FAIL: (?P<test>\S.{0,200}?)(?: \([\d.]+s\))?$"),
    (83, "_test.go:", r"^\s+\S+_test\.go:\d+: \S"),
    (91, "[fail", r"\[FAIL(?:ED)?\] (?P<test>\S.*)"),
    (95, "missing go.sum entry|updates to go.mod", r"missing go\.sum entry|updates to go\.mod needed"),
    (
        95,
        "no required module|cannot find module|cannot find main module",
        r"no required module provides package|[Cc]annot find (?:main )?module",
    ),
    (
        95,
        "checksum mismatch|unknown revision",
        r"^verifying .+: checksum mismatch|^go: .+(?:checksum mismatch|unknown revision)",
    ),
    (91, "go: ", r"^go: .{0,300}(?:not found|cannot|invalid|requires|inconsistent|errors?\b|reading|disallows)"),
    (
        94,
        "build constraints exclude|is not in std|is not in goroot",
        r"build constraints exclude|is not in (?:std|GOROOT)",
    ),
    (90, "level=error", r"^level=error .*msg="),
    (91, ".go.orig", r"^(?:diff|---) \S*\S+\.go\.orig\b"),
    (92, "can't load config|can't run", r"[Cc]an't (?:load config|run linter)"),
    (60, "[build failed]|[setup failed]", r"^FAIL\s+\S+ \[(?:build|setup) failed\]"),
    (38, "fail", r"^FAIL\s+\S+\s+(?:[\d.]+s|\(cached\))"),
)
