"""Known vulnerabilities, leaked secrets, and settings that a scanner does not let pass."""

from bot.domain.failures.rule import proven_by, rules, told_by

RULES = rules(
    "security",
    (93, "failed for resource", r"^\s+FAILED for resource: ", told_by(-1, r"^Check: \w+")),
    (93, "finding: ", r"^Finding: +\S", proven_by(3, r"^(?:Secret|RuleID): ", otherwise=40)),
    (92, "found verified result", r"Found verified result"),
    (90, "cve: |ghsa: |advisory: ", r"^(?:CVE|GHSA|Advisory): \S", told_by(-4, r"^Name: \S")),
    (90, "id: ", r"^ID: +RUSTSEC-\d", told_by(-6, r"^Title: ")),
    (90, "severity: ", r"^Severity: (?:low|moderate|high|critical)$", told_by(1)),
    (93, "vulnerability #", r"^Vulnerability #\d+: \S"),
    (91, "severity vulnerability found", r"\bseverity vulnerability found in\b"),
    (91, " severity]", r"\[(?:Low|Medium|High|Critical) Severity\]"),
    (93, "❯❯❱", r"^\s*❯❯❱ \S"),
    (88, "❯❱", r"^\s*❯❱ \S"),
    (92, "result #", r"^Result #\d+ (?:CRITICAL|HIGH|MEDIUM|LOW) "),
    (92, " (high): | (critical): | (medium): ", r"^[A-Z][\w-]*\d (?:\([A-Z]+\) )?\((?:CRITICAL|HIGH|MEDIUM)\): \S"),
    (91, "fail - ", r"^FAIL - \S+ - \S"),
    (91, "(check: ", r"\(check: [\w-]+, remediation: "),
    (90, "fail-new: ", r"^FAIL-NEW: (?!\d)\S"),
    (
        70,
        "cve-|ghsa-|pysec-|rustsec-|go-2",
        r"\b(?:CVE-\d{4}-\d|GHSA(?:-\w{4}){3}|PYSEC-\d{4}-\d|RUSTSEC-\d{4}-\d|GO-2\d{3}-\d)",
    ),
)
