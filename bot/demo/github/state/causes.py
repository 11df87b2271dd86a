"""Why jobs fail: what the step that fails says, in the manner of its tool, and what GitHub notes of it.

The same cause reads the same in every job, so that one failure on two commits can be told to be one.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.demo.github.state.checks import Annotation

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.demo.github.state.actions import Job

SET_UP = "Set up job"
CANCELED = "The operation was canceled."
_SIGNAL = (
    "The runner has received a shutdown signal. This can happen when the runner service is stopped, or a manually "
    "started runner is canceled."
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a step fails: `said` is its output, and `line` the line of it that tells why.

    `command` is what the step runs, `error` what the runner adds in the end: by default the exit code. `annotations`
    are those that a problem matcher makes of the output. Where nobody is left to write a log there is none.
    """

    line: str
    said: tuple[str, ...]
    command: str = ""
    exit_code: int = 1
    error: str = ""
    annotations: tuple[Annotation, ...] = ()
    has_log: bool = True

    @property
    def last_words(self) -> str:
        """What the runner says of the end, which GitHub notes on the job as well."""
        return self.error or f"Process completed with exit code {self.exit_code}."


def cause_of(job: Job) -> Cause | None:
    """Return why a job failed: the cause it was given, else one that fits the step; None for a job that did not."""
    if job.cause is not None:
        return job.cause
    failed = next((step.name for step in job.steps if step.conclusion == "failure"), None)
    return None if failed is None else fitting(failed, job.run.head.sha)


def annotations_of(job: Job) -> list[Annotation]:
    """Return what GitHub and the runner's problem matchers note on a job that did not end well."""
    cause = cause_of(job)
    if job.conclusion == "cancelled":
        notes = [] if job.cause is None else list(job.cause.annotations)
        return [*notes, _note(CANCELED)] if job.steps else []
    if cause is None or job.conclusion not in {"failure", "timed_out"}:
        return []
    return [*cause.annotations, _note(cause.last_words, len(cause.said) + 6)]


def _note(message: str, line: int = 1) -> Annotation:
    return Annotation(".github", line, line, "failure", message)


def _at(path: str, line: int, message: str, column: int | None = None) -> Annotation:
    return Annotation(path, line, line, "failure", message, start_column=column, end_column=column)


# Python


def pytest(
    test: str = "tests/test_transfer.py::test_resumes", error: str = "AssertionError: assert 3 == 4", line: int = 88
) -> Cause:
    """A test fails under pytest; `line` is where."""
    path, _, name = test.partition("::")
    failed = f"FAILED {test} - {error}"
    said = (
        "============================= test session starts ==============================",
        "platform linux -- Python 3.12.8, pytest-8.3.4, pluggy-1.5.0",
        "plugins: cov-6.0.0, asyncio-0.25.2",
        "collected 212 items",
        "",
        "tests/test_api.py ..............................                         [ 14%]",
        "tests/test_errors.py ........................s.......                    [ 29%]",
        f"{path} ...........F..................                     [ 43%]",
        "tests/test_views.py ....................................                 [100%]",
        "",
        "=================================== FAILURES ===================================",
        f"{f' {name} ':_^80}",
        "",
        f"    def {name.partition('[')[0]}():",
        "        sent = send(parts=4)",
        ">       assert len(sent.parts) == sent.expected",
        f"E       {error}",
        "",
        f"{path}:{line}: {error.partition(':')[0]}",
        "=============================== warnings summary ===============================",
        "tests/test_views.py:12: DeprecationWarning: datetime.datetime.utcnow() is deprecated",
        "=========================== short test summary info ============================",
        failed,
        "================== 1 failed, 210 passed, 1 skipped in 12.31s ===================",
    )
    return Cause(failed, said, "python -m pytest", 1)


def ruff(path: str = "src/transfer.py", line: int = 88, said: str = "F841 Local variable `part` is unused") -> Cause:
    """A linter of Python finds something, and says so in GitHub's own form."""
    found = f"{path}:{line}:5: {said}"
    note = Annotation(path, line, line, "failure", found, f"Ruff ({said.split(maxsplit=1)[0]})", None, 5, 9)
    output = ("Checking 61 files", f"##[error]{found}", "Found 1 error.")
    return Cause(f"##[error]{found}", output, "ruff check --output-format=github .", annotations=(note,))


def mypy(path: str = "src/transfer.py", line: int = 41, said: str = 'Argument 1 to "send" has type "str"') -> Cause:
    """A type error that no matcher of problems knows."""
    found = f"{path}:{line}: error: {said}  [arg-type]"
    return Cause(found, (found, "Found 1 error in 1 file (checked 61 source files)"), "mypy src")


def pip(requirement: str = "botocore==9.9.9") -> Cause:
    """What is asked for can't be installed."""
    line = f"ERROR: No matching distribution found for {requirement}"
    versions = f"ERROR: Could not find a version that satisfies the requirement {requirement} (from versions: 1.36.2)"
    return Cause(line, ("Collecting aiohttp", versions, line), "pip install -r requirements.txt")


# JavaScript


def jest(
    test: str = "upload › resumes after a cut", error: str = "Expected: 4", path: str = "src/upload.test.ts"
) -> Cause:
    """A test fails under Jest."""
    line = f"  ● {test}"
    said = (
        "PASS src/sidebar.test.ts (5.1 s)",
        "PASS src/table.test.ts",
        f"FAIL {path} (6.4 s)",
        line,
        "",
        "    expect(received).toBe(expected) // Object.is equality",
        "",
        f"    {error}",
        "    Received: 3",
        "",
        f"      at Object.<anonymous> ({path}:31:24)",
        "",
        "Test Suites: 1 failed, 2 passed, 3 total",
        "Tests:       1 failed, 90 passed, 91 total",
    )
    return Cause(line, said, "npx jest --ci")


def vitest(
    test: str = "upload > resumes", error: str = "expected 3 to be 4", path: str = "src/upload.test.ts"
) -> Cause:
    """A test fails under Vitest."""
    line = f" FAIL  {path} > {test}"
    said = (
        " RUN  v2.1.8",
        " ✓ src/sidebar.test.ts (14 tests) 61ms",
        f" ❯ {path} (9 tests | 1 failed) 44ms",
        "⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯",
        line,
        f"AssertionError: {error}",
        f" ❯ {path}:31:24",
        " Test Files  1 failed | 11 passed (12)",
        "      Tests  1 failed | 90 passed (91)",
    )
    return Cause(line, said, "npx vitest run")


def playwright(test: str = "share.spec.ts:18:5 › opens the dialog") -> Cause:
    """A test fails in a browser."""
    line = f"  1) [chromium] › {test}"
    said = (
        "Running 34 tests using 2 workers",
        line,
        "    Error: expect(locator).toBeVisible() failed",
        "    Locator: getByRole('dialog')",
        "  1 failed",
        "  33 passed (1.2m)",
    )
    return Cause(line, said, "npx playwright test")


def tsc(
    path: str = "src/upload.ts", line: int = 12, said: str = "Type 'string' is not assignable to type 'number'."
) -> Cause:
    """A type error, which the matcher of actions/setup-node notes on its line."""
    found = f"##[error]{path}({line},7): error TS2322: {said}"
    return Cause(found, (found,), "npx tsc --noEmit", 2, annotations=(_at(path, line, said, 7),))


def npm_ci(package: str = "react@19.0.0") -> Cause:
    """Packages that do not go together."""
    line = "npm error code ERESOLVE"
    said = (line, "npm error ERESOLVE could not resolve", f"npm error Found: {package}", "npm error A complete log …")
    return Cause(line, said, "npm ci")


# Compiled languages


def go_test(test: str = "TestResume", package: str = "example.com/rocket/transfer") -> Cause:
    """A test of Go fails."""
    line = f"--- FAIL: {test} (0.04s)"
    said = (
        "ok  \texample.com/rocket/api\t0.412s",
        f"=== RUN   {test}",
        "    transfer_test.go:57: got 3 parts, want 4",
        line,
        "FAIL",
        f"FAIL\t{package}\t0.231s",
        "FAIL",
    )
    return Cause(line, said, "go test ./...")


def go_build(path: str = "transfer/send.go", line: int = 23, said: str = "undefined: partSize") -> Cause:
    """A compile error, which the matcher of actions/setup-go notes on its line."""
    found = f"##[error]{path}:{line}:9: {said}"
    output = ("# example.com/rocket/transfer", found)
    return Cause(found, output, "go build ./...", annotations=(_at(path, line, said, 9),))


def cargo_test(test: str = "transfer::tests::resumes") -> Cause:
    """A test of Rust panics."""
    line = f"thread '{test}' panicked at src/transfer.rs:88:9:"
    said = (
        "   Compiling rocket v0.4.1 (/home/runner/work/rocket/rocket)",
        "    Finished `test` profile [unoptimized + debuginfo] target(s) in 21.30s",
        "running 40 tests",
        "test api::tests::lists ... ok",
        f"test {test} ... FAILED",
        "failures:",
        f"---- {test} stdout ----",
        line,
        "assertion `left == right` failed",
        "  left: 3",
        " right: 4",
        "test result: FAILED. 39 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.51s",
        "error: test failed, to rerun pass `--lib`",
    )
    return Cause(line, said, "cargo test", 101)


def rustc(path: str = "src/transfer.rs", line: int = 12, said: str = "E0308]: mismatched types") -> Cause:
    """Rust does not compile."""
    found = f"error[{said}"
    output = ("   Compiling rocket v0.4.1", found, f"  --> {path}:{line}:5", "error: could not compile `rocket`")
    return Cause(found, output, "cargo build --release", 101)


# Containers, infrastructure as code, shells


def docker_build(missing: str = "/requirements.txt") -> Cause:
    """An action that is no script says itself what was wrong, and no exit code follows."""
    line = f'ERROR: failed to calculate checksum of ref 7h1x: "{missing}": not found'
    said = ("#5 [2/4] RUN apt-get update", "#5 DONE 6.1s", "#6 [3/4] COPY . /srv", f"#6 {line}", "------")
    error = f'buildx failed with: ERROR: failed to build: failed to solve: "{missing}": not found'
    return Cause(f"#6 {line}", said, "docker/build-push-action@v6", error=error)


def terraform(resource: str = "aws_db_instance.staging") -> Cause:
    """A plan can not be made."""
    line = "│ Error: Invalid value for variable"
    said = ("Initializing provider plugins...", "╷", line, "│ ", f"│   with {resource},", "│   on main.tf line 14", "╵")
    return Cause(line, said, "terraform plan -input=false")


def script(command: str = "make build", said: str = "no rule to make target 'dist', needed by 'build'") -> Cause:
    """A script fails, as make says it."""
    line = f"make: *** {said}.  Stop."
    return Cause(line, (f"echo building with {command}", line), command, 2)


def http(said: str = "curl: (22) The requested URL returned error: 502") -> Cause:
    """What was rolled out does not answer."""
    return Cause(said, ("waiting for the new release", said), "./scripts/smoke.sh", 22)


# What no change to the code brings about


def runner_lost(runner: str = "", *, hosted: bool = False) -> Cause:
    """Nobody hears from the runner any more: there will never be a log."""
    kind = "hosted" if hosted else "self-hosted"
    error = (
        f"The {kind} runner{f': {runner}' if runner else ''} lost communication with the server. Verify the machine is "
        "running and has a healthy network connection. Anything in your workflow that terminates the runner process, "
        "starves it for CPU/Memory, or blocks its network access can cause this error."
    )
    return Cause(error, (), error=error, has_log=False)


def shut_down() -> Cause:
    """The machine of the runner is taken away while it works."""
    printed = ("tests/test_api.py ......", f"##[error]{_SIGNAL}")
    # What the runner itself says as an error is noted on the job.
    return Cause(f"##[error]{_SIGNAL}", printed, error=CANCELED, annotations=(_note(_SIGNAL),))


def download_failed(action: str = "actions/cache") -> Cause:
    """An action can't be fetched, so that the job fails as it is set up."""
    error = "Response status code does not indicate success: 503 (Service Unavailable)."
    warning = (
        f"##[warning]Failed to download action 'https://api.github.com/repos/{action}/tarball/0c45773'. Error: {error}"
    )
    back_off = "##[warning]Back off 15.236 seconds before retry."
    return Cause(f"##[error]{error}", (warning, back_off, warning), error=error)


def too_slow(minutes: int = 60) -> Cause:
    """A job is ended for taking longer than it may."""
    error = f"The job has exceeded the maximum execution time of {minutes}m0s"
    line = f"##[error]{error}"
    return Cause(line, ("tests/test_api.py ......", "waiting for the queue to drain", line), error=CANCELED)


def over_time(runner: str, minutes: int = 60) -> Cause:
    """A job is over its `timeout-minutes`: GitHub cancels it, and notes why."""
    error = f"The job running on runner {runner} has exceeded the maximum execution time of {minutes} minutes."
    return Cause("", ("waiting for the queue to drain",), error=CANCELED, annotations=(_note(error),))


# Which cause fits a step, by a word of its name, and what of it differs from one commit to the next.

_TESTS = (
    ("tests/test_transfer.py::test_resumes", "AssertionError: assert 3 == 4"),
    ("tests/test_ranges.py::test_last_chunk", "IndexError: list index out of range"),
    ("tests/test_retry.py::test_gives_up", "TimeoutError: still waiting after 5 tries"),
    ("tests/test_views.py::test_sorted_by_size", "AssertionError: assert ['b', 'a'] == ['a', 'b']"),
    ("tests/test_cache.py::test_expires", "KeyError: 'expires_at'"),
)
_SPECS = ("resumes", "keeps the filter", "shows the speed", "closes on escape", "sorts by size")
_FITTING: tuple[tuple[str, Callable[[int], Cause]], ...] = (
    ("pytest", lambda which: pytest(*_TESTS[which])),
    ("vitest", lambda which: vitest(f"upload > {_SPECS[which]}")),
    ("jest", lambda which: jest(f"upload › {_SPECS[which]}")),
    ("playwright", lambda which: playwright(f"share.spec.ts:18:5 › {_SPECS[which]}")),
    ("go test", lambda which: go_test(("TestResume", "TestRange", "TestRetry", "TestSort", "TestExpiry")[which])),
    ("go build", lambda which: go_build(line=20 + which)),
    ("cargo test", lambda which: cargo_test(f"transfer::tests::{_SPECS[which].replace(' ', '_')}")),
    ("cargo", lambda _: rustc()),
    ("tsc", lambda which: tsc(("src/upload.ts", "src/table.ts", "src/share.ts", "src/api.ts", "src/app.ts")[which])),
    ("mypy", lambda which: mypy(f"src/{('transfer', 'cache', 'api', 'views', 'retry')[which]}.py")),
    ("lint", lambda _: ruff()),
    ("ruff", lambda _: ruff()),
    ("npm ci", lambda _: npm_ci()),
    ("install", lambda _: pip()),
    ("docker", lambda _: docker_build()),
    ("image", lambda _: docker_build()),
    ("and push", lambda _: docker_build()),
    ("plan", lambda _: terraform()),
    ("validate", lambda _: terraform()),
    ("test", lambda which: pytest(*_TESTS[which])),
)


def fitting(step: str, seed: str = "") -> Cause:
    """Return a cause that fits a step of this name; which one follows from the seed alone."""
    which = zlib.crc32(seed.encode()) % len(_TESTS)
    name = step.lower()
    made = next((make(which) for word, make in _FITTING if word in name), None)
    return made or script(f"make {name.replace(' ', '-')}")


def named(cause: Cause, step: str) -> Cause:
    """Return the cause with a command for a step of this name, where it tells none."""
    return cause if cause.command else replace(cause, command=fitting(step).command)
