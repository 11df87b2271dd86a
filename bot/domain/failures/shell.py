"""Shells, and the tools that check scripts, workflows, prose and hooks."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "shell",
    (
        93,
        ": line ",
        (
            r": line \d+: .{1,200}(?:not found|No such file|Permission denied|unbound variable|syntax error|"
            r"unexpected|bad |parameter null|ambiguous redirect|Is a directory)"
        ),
    ),
    (92, ": line ", r": line \d+: [A-Z_][A-Z0-9_]*: \S"),
    (93, "jq: error|yq: error", r"^[jy]q: error\b"),
    (93, "assert:", r"^ASSERT:\S"),
    (92, "graphql: ", r"\bGraphQL: \S"),
    (90, "(http 4|(http 5", r"\(HTTP [45]\d\d\)"),
    (88, "rsync: ", r"^rsync: \S"),
    (40, " | ", r"^ \S.{0,200} \| +\d+ [+-]+$"),
    (93, "command not found|: not found", r"\bcommand not found|: \d+: \S+: not found$|sh: \S+: not found"),
    (93, "syntax error", r"[Ss]yntax error(?: near unexpected|: )"),
    (80, "no such file or directory", r"^\S{1,100}: .{0,200}No such file or directory"),
    (89, " line ", r"^In \S+ line \d+:"),
    (90, "sc", r"\bSC\d{4}\b"),
    (94, "is not recognized as", r"is not recognized as (?:the name of|an internal|a name of)"),
    (91, ".ps1:", r"^[A-Z]\w*: \S.{0,200}\.ps1:\d+$", told_by(6, r"^\s+\| +(?![~\s])\S")),
    (86, ".ps1:", r"^\S.{0,200}\.ps1:\d+"),
    (
        90,
        "parsererror|runtimeexception|exception: |invalidoperation: ",
        r"^(?:ParserError|RuntimeException|InvalidOperation|Exception): ",
    ),
    (91, "[-] ", r"^\s*\[-\] (?P<test>\S.*?)(?: [\d.]+m?s.*)?$"),
    (91, "dl", r"\bDL\d{4}\b"),
    (93, ".yml:|.yaml:", r"^\S+\.ya?ml:\d+:\d+: .+ \[[\w-]+\]"),
    (93, " md", r"^\S+\.md:\d+(?::\d+)? (?:error )?MD\d{3}"),
    (93, "==>", r"^\S+:\d+: \S+ ==> \S"),
    (92, "l: ", r"^L: +\d+ \| P: +\d+ \| "),
    (89, "] http|] <http", r"^\s*(?:✗ |\* |× )?\[(?:4\d\d|5\d\d|ERROR|TIMEOUT)\] (?:<)?https?://"),
    (86, "failed", r"^\S.{2,120}\.{3,}(?:\(.*\))?Failed$"),
    (72, "- hook id: ", r"^- hook id: "),
    (86, "files were modified", r"^- files were modified by this hook"),
    (82, "diff --git ", r"^diff --git a/"),
    (90, "leaks found", r"leaks found: [1-9]"),
    (
        76,
        "uncommitted changes|not up|out of date|is dirty",
        r"uncommitted changes|not up[- ]to[- ]date|out of date|is dirty",
    ),
    (
        74,
        "please |and run|and re-run|and rerun|and commit",
        r"(?i)^\S?.{0,200}\b(?:please|and) (?:re-?run|run|commit)\b",
    ),
)
