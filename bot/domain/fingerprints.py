"""What makes two failures the same: where they happened and what they say, without what changes from run to run."""

import hashlib
import re

_LONGEST = 400

# In this order: what one has taken is gone for the next. No stand-in holds a digit or a quote.
_CHANGING = (
    (re.compile(r"^(?:\s*##\[error\])+"), ""),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?:Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"\b\d{1,2}:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    # What lies in a folder for temporary files has a name of its own each time; elsewhere the file's name stays.
    (
        re.compile(r"(?<![\w/\\<>])(?:[A-Za-z]:)?[\\/](?:[\w.@+~-]+[\\/])*(?i:tmp|temp)[\\/][^\s'\"`´‘’“”:,;()<>\]]+"),
        "<path>",
    ),
    (
        re.compile(r"(?<![\w/\\<>.])(?:file://)?(?:[A-Za-z]:[\\/]|[\\/]|~/|\.{1,2}/)(?:[\w.@+~-]+[\\/])*(?=[\w.@+~-])"),
        "<path>",
    ),
    (re.compile(r"\b0x[0-9a-f]+\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,64}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"\b\d+(?:[.,]\d+)* ?(?:ns|us|µs|ms|s|sec|secs|seconds?|min|mins|minutes?|h|hours?)\b"), "<duration>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
    (re.compile(r"[\"`´‘’“”]"), "'"),
    (re.compile(r"\s+"), " "),
)

# A test's name holds numbers of its own: `test_tls_1_2` is not `test_tls_1_3`. Only what no name has twice is left out.
_DURATION = r"\d+(?:[.,]\d+)* ?(?:ns|us|µs|ms|s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?)"
_CHANGING_IN_TESTS = (
    _CHANGING[0],
    _CHANGING[1],
    _CHANGING[4],
    (re.compile(r"\b0x[0-9a-f]{7,}\b", re.IGNORECASE), "<hex>"),
    (re.compile(r"(?<![^\W_])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,64}(?![^\W_])", re.IGNORECASE), "<hex>"),
    (re.compile(rf"(?<=\s)(?:\({_DURATION}\)|\[{_DURATION}\])\s*$"), "<duration>"),
    (re.compile(r"\s+"), " "),
)

# What a normalized anchor may say that any failure says.
_SAYS_NOTHING = (
    r"",
    r"process completed with exit code -?<n>",
    r"(?:the )?(?:process|command|script|task|step)\b.{0,200} (?:failed|exited) with (?:exit )?(?:code|status) -?<n>",
    r"docker \w+ failed with exit code <n>",
    r"command failed(?: with exit code <n>)?",
    r"(?:elifecycle|lifecycle script).{0,100}|code elifecycle|errno <n>",
    r"exit(?:ed)?(?: with)?(?: code| status)?:? -?<n>",
    r"\[.{1,200}\] error <n>",
    r"(?:the )?(?:operation|job|run)(?: was)? cancell?ed",
    r"(?:the )?(?:build|tests?|test suite|job|checks?|run|compilation|some tests)(?: has| have)? fail(?:ed|ures?)?",
    r"fail(?:ed|ures?)?|errors?|aborted|killed|terminated|execution halted|stop|unknown error|an error occurred",
    r"build (?:failure|did not complete successfully)|build failed with an exception",
    r"test failed\. see above for more details",
    r"build stopped: subcommand failed|could not compile .{1,100}",
    r"linker command failed.{0,100}|ld returned <n> exit status",
    r"<n> (?:failed|errors?|failures?|failing|problems?|tests? failed)\b.{0,100}",
    r"found <n> (?:errors?|problems?).{0,60}",
    r"traceback \(most recent call last\)",
    r"there (?:were|are) (?:failing tests|test failures)",
    r"there (?:was|were) <n> (?:failures?|errors?)",
    r"failed \((?:[a-z ]{1,30}=<n>(?:, )?){1,6}\)",
    r"(?:test suites?|tests): <n> failed\b.{0,100}",
    r"(?:java\.lang\.)?assertionerror(?: \[err_assertion\])?(?:: (?:assert (?:true|false|none)|failed))?",
    r"assertionerror \[err_assertion\]: .{0,60}\bstrictly (?:deep-)?(?:un)?equal.{0,60}",
    r"expect\((?:received|actual|value|locator|page)\)\..{0,100}",
    r"(?:expected|received|actual)(?: value)?: (?:true|false|null|undefined|none|nil|<n>)",
    r"(?:exception in thread '.{0,80}' |unhandled exception[.:] )?(?:[a-z]+\.)*nullpointerexception",
    r"(?:unhandled exception[.:] )?(?:[a-z]+\.)*nullreferenceexception(?:: object reference not set to .{1,40})?",
    r"syntaxerror: invalid syntax",
    r"(?:[a-z]+\.)*(?:time(?:d )?out(?:error|exception)?|undefined)",
    r"panic: test timed out after .{1,40}",
    r"(?:.{1,100}: line <n>: <n> )?(?:bus error|segmentation fault|aborted|killed)(?: \(core dumped\)(?: .{0,200})?)?",
    r"code <n>",
    r"task: failed to run task .{0,200}",
    r"recipe .{1,100} failed on line <n>.{0,60}",
    r"build failed in .{1,40}",
    r"(?:[\w.-]{1,40} )?failed: exit (?:status|code) <n>",
    r"invocationerror for command .{0,300}",
    r"[\w.<>-]{1,60}: fail code <n>.{0,100}",
)
_TOOL = r"(?:error|err|fatal|failure|make(?:\[<n>\])?|npm err!?|npm error|ninja)?"
_GENERIC = re.compile(rf"(?i)\W*(?:E )?{_TOOL}[\s:!*]*(?:{'|'.join(_SAYS_NOTHING)})[\s.:!*]*")


def normalized(line: str) -> str:
    """Return what a line says apart from numbers, hex, ids, times, durations, folders, and which quotes it uses.

    Normalizing twice changes nothing more.
    """
    text = line[:_LONGEST]
    for pattern, stand_in in _CHANGING:
        text = pattern.sub(stand_in, text)
    return text.strip()[:_LONGEST].rstrip()


def normalized_test(name: str) -> str:
    """Return a test's name apart from ids, temporary paths, and how long it took."""
    text = name[:_LONGEST]
    for pattern, stand_in in _CHANGING_IN_TESTS:
        text = pattern.sub(stand_in, text)
    return text.strip()


def is_generic(line: str) -> bool:
    """Tell whether an anchor says nothing about its cause, so that two failures that share it need not be the same."""
    return _GENERIC.fullmatch(normalized(line)) is not None


def job_without_matrix(name: str) -> str:
    """Return a job's name without the values of its matrix: `build / test (3.12, ubuntu)` is `build / test`.

    GitHub puts the values in brackets behind the name, for each job that a reusable workflow calls, and cuts what is
    longer than 100 characters to an ellipsis.
    """
    return " / ".join(_without_values(part) for part in _parts(name))


def _parts(name: str) -> list[str]:
    """Split at ` / `, but not inside of brackets."""
    parts, depth = [""], 0
    for piece in re.split(r"( / )", name):
        if piece == " / " and depth <= 0:
            parts.append("")
            continue
        parts[-1] += piece
        depth += piece.count("(") - piece.count(")")
    return parts


def _without_values(name: str) -> str:
    stripped = name.rstrip()
    if not stripped.endswith((")", "...", "…")):
        return stripped
    start = _opening(stripped)
    return stripped[:start].rstrip() or stripped if start else stripped


def _opening(name: str) -> int:
    """Return where the bracket opens that ends with the name, 0 where there is none."""
    depth = 0
    cut_off = not name.endswith(")")
    for place in range(len(name) - 1, 0, -1):
        depth += (name[place] == ")") - (name[place] == "(")
        if name[place] == "(" and name[place - 1] == " " and depth == (-1 if cut_off else 0):
            return place
    return 0


def fingerprint(
    workflow_path: str, job_name: str, step: str | None, failure: str, *, is_test: bool = False, time: int = 1
) -> str:
    """Return 32 hex digits that are the same for the same failure of the same step, in whatever run.

    `failure` is an anchor, or the name of a test that failed. What one job says several times may differ in what is
    left out, so `time` counts from 1 the times that it does.
    """
    said = normalized_test(failure) if is_test else normalized(failure)
    told = (workflow_path, job_without_matrix(job_name), normalized(step or ""), said)
    counted = told if time == 1 else (*told, str(time))
    return hashlib.sha256("\0".join(counted).encode("utf-8", "surrogatepass")).hexdigest()[:32]
