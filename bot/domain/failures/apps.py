"""Apps for phones and desktops: Xcode, Swift, CocoaPods, fastlane, Dart, Flutter."""

from bot.domain.failures.rule import rules, told_by

RULES = rules(
    "apps",
    (95, "xcodebuild: error", r"^xcodebuild: error: "),
    (
        95,
        "provisioning profile|signing certificate|no profiles for|signing for",
        (
            r"requires a provisioning profile|[Nn]o (?:\w+ )*signing certificate|No profiles for|"
            r"[Ss]igning for .+ requires"
        ),
    ),
    (94, "unable to find a de", r"Unable to find a (?:destination|device) matching"),
    (80, "' failed", r"^Test Case '(?P<test>.+)' failed"),
    (92, "❌", r"^\s*❌ *(?:error: )?\S"),
    (92, "✗", r"^\s*✗ (?P<test>\w+(?:\(\))?), "),
    (93, "recorded an issue", r"^✘ Test (?P<test>.+) recorded an issue at"),
    (93, "xctassert|xctunwrap failed", r"XCTAssert\w* failed|XCTUnwrap failed"),
    (90, "[!]", r"^\[!\] \S"),
    (45, "build commands failed", r"^The following build commands failed:"),
    (24, "** ", r"^\*\* (?:BUILD|TEST|ARCHIVE) FAILED \*\*"),
    (94, "error •|error -", r"^\s*error [•-] \S"),
    (84, "warning •|info •|info -|warning - ", r"^\s*(?:warning|info) [•-] \S"),
    (
        90,
        "[e]",
        r"^\d\d:\d\d \+\d+(?: ~\d+)? -\d+: (?P<test>.+) \[E\]",
        told_by(1, r"^\s+(?:Expected: |\S*(?:Error|Exception)\b)"),
    ),
    (88, "exception caught by", r"EXCEPTION CAUGHT BY"),
    (92, "was thrown", r"^The following .+ was thrown", told_by(1)),
    (92, "script error: ", r"^(?:USER )?SCRIPT ERROR: \S"),
    (84, "testing failed:", r"^Testing failed:$", told_by(1)),
    (84, "actual:", r"^\s+Actual: "),
    (76, "changed ", r"^Changed \S+\.dart$"),
    (88, "no such module", r"no such module '"),
)
