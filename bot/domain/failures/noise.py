"""Lines that look like failures and are none, or only repeat that there was one.

Each pattern comes with the most points that such a line may have: 0 means that it never matters.
"""

import re

from msgspec import Struct


class Noise(Struct, frozen=True):
    """A form of line that may have no more than `most` points; `hints` as in a rule."""

    most: int
    hints: tuple[str, ...]
    pattern: re.Pattern[str]


def _noise(*rows: tuple[int, str, str]) -> tuple[Noise, ...]:
    return tuple(Noise(most, tuple(hints.split("|")), re.compile(pattern, re.ASCII)) for most, hints, pattern in rows)


NOISE = _noise(
    # Markers and echoes of commands.
    (0, "##[debug]|##[group]|##[endgroup]|##[section]", r"^##\[(?:debug|group|endgroup|section)\]"),
    (0, "[command]", r"^(?:##)?\[command\]"),
    (10, "##[notice]", r"^##\[notice\]"),
    (28, "##[warning]", r"^##\[warning\]"),
    (18, "+", r"^\++ [a-z./\[]\S*(?: |$)"),
    (18, "$ ", r"^\$ \S"),
    # Bare verdicts: that a process ended badly, not why.
    (
        8,
        "process completed with exit code",
        r"^(?:##\[error\])?(?:Error: )?Process completed with exit code (?!137|139|134|143|124)",
    ),
    (44, "process completed with exit code", r"^(?:##\[error\])?(?:Error: )?Process completed with exit code"),
    (40, "> task ", r"^> Task \S+ FAILED$"),
    (30, "failed in:", r"^\W*Failed in:$"),
    (24, "exit code: ", r"^\W*Exit code: \d+\. Command failed: "),
    (24, "##[error]", r"^##\[error\]\S+ (?:exited|failed) with (?:exit )?code:? \d+\.?$"),
    (38, "failed to ", r"(?i)^\W*(?:error\b[^:]{0,10}: )?failed to (?:build|deploy|compile|run|test|publish)\W*$"),
    (
        38,
        "failed",
        r"(?i)^\W*(?:error: )?(?:\w+ ){0,2}(?:build|deployment|compilation|linting|tests?)(?: command)? failed\W*$",
    ),
    (38, "failed ", r"^(?:Error: )?failed \w+ing [\w ]{1,30}(?:: failed \w+ing [\w ]{1,30})*$"),
    (
        38,
        "detected|found|reported",
        (
            r"(?i)^\W*(?:error: )?\d+ (?:\w+ ){0,2}(?:problem|error|issue|violation|offense|finding)s?\b.{0,60}"
            r"\b(?:detected|found|reported)\b"
        ),
    ),
    (
        24,
        "failed with |exited with ",
        r"(?i)(?:process|command|script|task) ?.{0,200} (?:failed|exited) with (?:exit )?code \d+\.?$",
    ),
    (24, "failed with error code|failed with exit status", r"failed with (?:error code|exit status) \d+"),
    (
        22,
        "test failed. see above|command failed with|elifecycle|exit status|test failed.  see above",
        r"Test failed\.  See above|Command failed with exit code|ELIFECYCLE|^exit status \d+",
    ),
    (22, "err_pnpm_recursive|run failed: command|exited (", r"ERR_PNPM_RECURSIVE|run failed: command|exited \(\d+\)$"),
    (8, "a complete log|debug.log|-debug-", r"A complete log of this run|-debug(?:-\d+)?\.log\b"),
    (
        10,
        "npm",
        (
            r"^npm (?:ERR!|error) ?(?:path|command|cwd|errno|signal|at |\s*$|workspace|location|  at|syscall|"
            r"dest|argv|node v|npm v|in workspace|Lifecycle|Error: command)"
        ),
    ),
    (
        30,
        "npm",
        (
            r"^npm (?:ERR!|error) (?:Exit|This is probably|Tell the author|Failed at|node_modules|"
            r"code ELIFECYCLE|Conflicting peer|Fix the|to accept|or retry)"
        ),
    ),
    (8, "visit https://yarnpkg|info visit", r"^info Visit"),
    (
        25,
        "aborting due to|could not compile|test failed, to rerun|targets failed|target failed",
        r"^error: (?:aborting due to|could not compile|test failed, to rerun|\d+ targets? failed)",
    ),
    (
        20,
        "some errors have detailed|for more information about|rust_backtrace",
        r"For more information about|RUST_BACKTRACE|Some errors have detailed",
    ),
    (
        20,
        "build stopped: subcommand|did not complete|configuring incomplete|elapsed time|info: ",
        r"build stopped: subcommand|Build did NOT complete|Configuring incomplete|^INFO: ",
    ),
    (
        14,
        "[error]",
        (
            r"^\[ERROR\]\s*(?:$|-> \[Help|To see the full|Re-run Maven|For more information|After correcting|"
            r"\[Help \d|mvn |Please refer|See |$)"
        ),
    ),
    (
        32,
        "there are test failures|[error] failures:|[error] errors:|compilation error",
        r"^\[ERROR\] (?:There are test failures|Failures: ?$|Errors: ?$|COMPILATION ERROR)",
    ),
    (44, "failures: |errors: |[error] tests run: |[warning] tests run: ", r"^\[(?:ERROR|WARNING)\] Tests run: "),
    (
        20,
        "[error] ",
        r"^\[error\] (?:\(|Total|Failed: |Failed tests:|stack trace|one error|\d+ errors? found|\w+ errors found)",
    ),
    (
        26,
        "fail",
        r"(?i)^\W*(?:the )?(?:build|tests?|job|pipeline|run|check)(?: has)? fail(?:ed|ure)\W*(?:in [\w. ]+)?$",
    ),
    (24, "build failed with an exception|failure: build", r"^FAILURE: Build (?:failed|completed)"),
    (
        34,
        "there were failing tests|compilation failed; see|non-zero exit value|compilation error",
        r"There were failing tests|Compilation failed; see|finished with non-zero exit value|> Compilation error",
    ),
    (66, "execution failed for task", r"^Execution failed for task"),
    (8, "run with --|* try|> get more help|> run with", r"^> (?:Run with|Get more help)|^\* Try"),
    (
        27,
        "failed|error|failure",
        (
            r"(?i)^[\W\d]*\b(?:tests?|test suites|test files|suites|examples|specs|total|snapshots|summary|"
            r"jobs|tasks|failures)\b:? .{0,60}\d+ (?:failed|failures?|errors?)"
        ),
    ),
    (
        27,
        "fail|error|passed|examples|tests|runs",
        r"^\W*\d+ (?:failed|failures?|errors?|failing|passed|examples|tests|runs)\b(?:,| in |\W*$)",
    ),
    (
        27,
        "failed|error|, assertions|tests run: ",
        r"(?i)^=+ .{0,200}\d+ (?:failed|errors?)\b.{0,200} =+$|^Tests run: \d+|^Tests: \d+, Assertions",
    ),
    (
        27,
        "found | files inspected",
        r"^\W*Found \d+ (?:errors?|warnings?|problems?|issues?|offenses?)|\d+ files inspected",
    ),
    (27, " problem", r"^\W*\d+ problems? \("),
    (27, "generated", r"\d+ (?:warnings?|errors?)(?: and \d+ (?:warnings?|errors?))? generated"),
    (26, "finished: |result: fail|test result: ", r"^test result: |Result: FAIL|^Finished: "),
    (
        22,
        "failures|errors|failed tests|short test summary",
        r"^(?:=+ )?(?:failures|errors|failed tests|FAILURES|ERRORS|short test summary info)(?: =+)?:?\W*$",
    ),
    (26, "failures|errors|ok, but", r"^(?:FAILURES|ERRORS|OK, but)\W"),
    (26, "# |ℹ ", r"^[#ℹ] (?:fail|pass|tests|cancelled) \d+"),
    (
        20,
        "test summary|tests failed out of|errors while running ctest",
        r"tests failed out of|Errors while running CTest",
    ),
    (12, "execution halted", r"^Execution halted"),
    (26, "make", r"^\S*make(?:\[\d+\])?: \*\*\* \[.+\] (?:Error \d+|Terminated)"),
    # Nothing failed, although the word is there.
    (
        0,
        "fail|error|warn| exception| problem|without ",
        (
            r"(?i)^(?!.*\b(?:expected|got|but)\b).*\b(?:0|no|zero|without(?: any)?) (?:\w+ )?(?:errors?|"
            r"fail(?:ed|ures?|ing)|failing|problems?|exceptions?)\b(?!.*\b[1-9]\d* (?:errors?|fail(?:ed|"
            r"ures?)))"
        ),
    ),
    (
        0,
        "=0|: 0|:0|= 0",
        r"(?i)^(?!.*\b(?:fail(?:ed|ures?)?|errors?)[:=] ?[1-9]).*\b(?:failed|failures|errors?|unreachable)[:=] ?0\b",
    ),
    (
        0,
        "pass|ok|✓|✔|√|succeeded|done|✅",
        r"^\s*(?:\[gw\d+\] \[ *\d+%\] )?(?:PASS(?:ED)?|ok|OK|✓|✔|√|✅|--- PASS:|\[ +OK +\]|\[PASS\]|PASSED)(?:\s|$)",
    ),
    (
        0,
        "passed|ok|done|success|up-to-date|from-cache|skipped|xfail",
        (
            r"\b(?:PASSED|SKIPPED|XFAIL|UP-TO-DATE|FROM-CACHE)(?: +\[ *\d+%\])?$|\.{3} ?(?:ok|OK|passed|"
            r"PASSED|done|Passed|Skipped)\b|\.{4,} *(?:Passed|passed|ok)\b"
        ),
    ),
    (
        0,
        (
            "compiling|downloading|collecting|installing|fetching|get:|unpacking|adding|added|requirement|"
            "building c |building cxx |checking |copying |creating |downloaded |extracting |fresh |linking |"
            "preparing |pulling |resolving |selecting |setting up |updating |using cached "
        ),
        (
            r"^\s*(?!.*\b(?:failed|error:))(?:Compiling|Downloading|Downloaded|Collecting|Installing|"
            r"Fetching|Get:\d+|Unpacking|Selecting|Preparing|Setting up|Adding|Added|Requirement already|"
            r"Using cached|Checking|Building CXX|Building C|Linking|Extracting|Pulling|Copying|Creating|"
            r"Fresh|Updating|Resolving) "
        ),
    ),
    (0, "[", r"^\[ *\d+(?:%|/\d+)\] (?!.*(?:error|FAILED))"),
    (14, "create mode|rename | delete mode ", r"^ (?:create|delete) mode \d|^ rename "),
    (
        12,
        "=== run|=== cont|=== pause|started|running|# subtest|=== name|[ run ",
        r"^\s*=== (?:RUN|CONT|PAUSE|NAME)|^\[ RUN +\]|^Test (?:Case|Suite) .+ started|^# Subtest",
    ),
    (
        20,
        " -|/c ",
        (
            r"^(?:cc|gcc|g\+\+|clang|clang\+\+|rustc|/usr/bin/(?:cc|c\+\+|gcc|g\+\+|clang\S*)|\S*cl\.exe|"
            r"libtool:|ccache) .*(?: -[cDIWO]|/c )"
        ),
    ),
    (20, "++ -w|cc -w|clang|error", r"^\S*(?:cc|\+\+|clang\S*) .*-W\w*[Ee]rror"),
    # Warnings, deprecations, and what went well at another try.
    (
        29,
        "warn",
        (
            r"^(?!.*(?:DATA RACE|Sanitizer|treated as error)|\[warn\] \S+$)(?:\S{1,200}:\d+(?::\d+)?: )?\W{0,3}"
            r"(?i:warning|warn)\b"
        ),
    ),
    (29, "warn", r"^(?:npm|yarn|pnpm|\S+) (?i:warn(?:ing)?)(?:!|:|\s)"),
    (29, "warning", r"^\S.{0,250}(?::\d+(?::\d+)?: |\(\d+(?:,\d+)*\): )(?:\w+ )?[Ww]arning\b(?!.*\[-Werror)"),
    (
        29,
        "warning|[warn] |w: ",
        r"^\s+\d+:\d+\s+warning\s|^w: \S|^\[warning\]|^\[WARNING\]|^\[WARN\] (?!\S+:\d+)|^level=warning|^# \S+ warning",
    ),
    (20, "upload", r"(?i)no files were found.*No artifacts will be uploaded"),
    (60, "errors have been logged", r"errors have been logged"),
    (40, "no names found", r"No names found, cannot describe"),
    (24, "dependency resolver does not", r"dependency resolver does not currently take into account"),
    (45, "+|-", r"^[+-]\s{2,}\S"),
    (
        60,
        "no such container|no such image|no such network",
        r"(?i)error response from daemon: no such (?:container|image|network)",
    ),
    (20, "console.|● console", r"^\s*(?:● Console|console\.(?:error|warn|log))"),
    (16, "at |from |in |file |@ ", r"^\s+at \S|^\s+(?:from|in) \S+:\d+|^\s+File \"|^\s*@ \S"),
    (
        20,
        "info|debug |debug: |debug] |debug]: |trace |trace: |trace] |trace]: ",
        r"^(?!.*\*\*\* FAILED)(?:\S+ ){0,3}\[?(?:INFO|DEBUG|TRACE|info|debug)\]?:? ",
    ),
    (20, "level", r"level\"?[=:] ?\"?(?:info|debug|trace|warn)"),
)
DOUBTS = _noise(
    (30, "deprecat", r"(?i)\bdeprecat(?:ed|ion)\b"),
    (
        24,
        "retry|retries|attempt|trying again|rerun|re-run failed|waiting ",
        (
            r"(?i)\b(?:(?<!timed out )retrying|will retry|retry \d|trying again|retry in|RERUN|"
            r"attempt \d+ ?(?:of|/) ?\d+|attempt #?\d+ failed|waiting \d+ (?:s|seconds))\b"
        ),
    ),
    (
        24,
        "ignor|continuing|skipp|non-fatal|not fatal|harmless|tolerat|optional",
        (
            r"(?i)\b(?:ignoring|ignored|\.\.\.ignoring|continuing|skipping|skipped|non-fatal|not fatal|"
            r"harmless|tolerated|optional)\b"
        ),
    ),
    (
        20,
        "allowed to fail|known fail|expected fail|expectedly|as expected|xfail",
        r"(?i)allowed to fail|known fail|expected fail|as expected|\bxfail",
    ),
    (
        24,
        "cleanup|clean up|cleaning|teardown|tear down|clean-up|tearing down",
        r"(?i)\b(?:clean(?:ing)?[ -]?up|teardown|tear(?:ing)? down)\b.{0,200}(?:fail|error|not |no such)",
    ),
    (30, "flaky", r"(?i)\bflaky\b"),
    (
        28,
        "cache|failed to restore|failed to save",
        r"(?i)(?:failed to (?:save|restore)|cache (?:service|not found|miss)|unable to reserve cache)",
    ),
)
"""Words that make a line doubtful, unless a tool says plainly that it is an error."""
RETRIED = re.compile(
    r"(?i)(?<!timed out )\bretrying\b|\b(?:will retry|trying again|retry in|before (?:next|trying))\b|\bagain in \d"
    r"|^\.\.\.ignoring",
    re.ASCII,
)
"""A line that says that what stands right before it was tried again, or let pass."""
STRICT = re.compile(
    r"(?i)\bwarnings? (?:(?:is|are|were) )?(?:being )?treated as errors?\b|\btreating warnings as errors\b"
    r"|\bwarnings? in strict mode\b|\bfound too many warnings\b|\bfailed due to warnings\b"
    r"|\bwarnings found and -Werror\b|\bno warnings can be incurred under\b",
    re.ASCII,
)
"""A line that says that a warning was enough to fail."""
WARNING_AT = re.compile(
    r"^(?:\[warn\] |w: )?\S{1,200}:(?:\d+(?::\d+)?:?|docstring of \S{1,200}:) ?\W?(?:WARNING|[Ww]arning|[Ww]arn)\b"
    r"|^\s+(?:Line )?\d+:\d+:?\s+(?:warning|⚠)\s|^w: \S|^\[warn\] \S{1,200}:\d+",
    re.ASCII,
)
"""A warning that tells its place."""
WARNING = re.compile(
    r"\W{0,6}(?:WARNING|[Ww]arning|WARN)\b(?!: (?:Running pip|You are using|Retrying|The (?:script|directory)))",
    re.ASCII,
)
"""A warning, perhaps with its place on another line."""
