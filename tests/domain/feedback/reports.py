"""Reports as they come, and reports in which every text from outside is whatever somebody likes."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st
from msgspec.structs import replace

from bot.domain.feedback.report import (
    Base,
    Cause,
    Conclusion,
    Counts,
    Evidence,
    FailedJob,
    Failure,
    FailureClass,
    Flake,
    Job,
    Report,
    Run,
    Source,
)
from bot.domain.feedback.written import Marker

T = TypeVar("T")

SERVER = "https://github.com"
REPOSITORY = f"{SERVER}/octo/shop"
HEAD = "abc1234def5678abc1234def5678abc1234def56"
BASE = "9f8e7d6c5b4a39f8e7d6c5b4a39f8e7d6c5b4a39"
MARKER = Marker(number=42, sequence=1, is_red=True)
WHEN = datetime(2026, 1, 5, 9, tzinfo=UTC)
PASSES = Base("main", BASE, 20, 20, False)
FAILS_ALIKE = Base("main", BASE, 3, 20, True)


def run(run_id: int = 1, name: str = "CI", **told: Any) -> Run:
    known: dict[str, Any] = {
        "run_id": run_id,
        "attempt": 1,
        "workflow_id": 7,
        "workflow_name": name,
        "workflow_path": ".github/workflows/ci.yml",
        "event": "pull_request",
        "status": "completed",
        "conclusion": "failure",
        "html_url": f"{REPOSITORY}/actions/runs/{run_id}",
        "head_branch": "fix",
        "began_at": WHEN,
    }
    return Run(**known | told)


def job(job_id: int = 10, name: str = "test (3.12)", **told: Any) -> Job:
    known: dict[str, Any] = {
        "job_id": job_id,
        "run_id": 1,
        "attempt": 1,
        "name": name,
        "status": "completed",
        "conclusion": "failure",
        "html_url": f"{REPOSITORY}/actions/runs/1/job/{job_id}",
        "started_at": WHEN,
        "completed_at": WHEN,
        "step": "Run pytest",
    }
    return Job(**known | told)


def failure(anchor: str | None = "E       assert 500 == 402", **told: Any) -> Failure:
    known: dict[str, Any] = {
        "source": Source.LOG,
        "kind": "python",
        "step": "pytest -q",
        "test": "tests/test_orders.py::test_expired_card",
        "exit_code": 1,
        "anchor": anchor,
        "lines": ("    def test_expired_card():", anchor or "", "tests/test_orders.py:88: AssertionError"),
        "further": (),
        "fingerprint": "f" * 32,
        "is_generic": False,
        "fingerprints": (told.get("fingerprint", "f" * 32),),
    }
    return Failure(**known | told)


def cause(
    failure_class: FailureClass = FailureClass.NEW,
    *jobs: Job,
    said: Failure | None = None,
    base: Base | None = PASSES,
    others: tuple[int, ...] = (),
    unknown: bool = False,
    **known: Any,
) -> Cause:
    """A cause in the given jobs; what they said is `unknown` or `said`."""
    told = None if unknown else said or failure()
    return Cause(
        failure_class,
        tuple(
            FailedJob(each, run(), told, Evidence(base, others, **known), failure_class) for each in jobs or (job(),)
        ),
    )


def report(*causes: Cause, **told: Any) -> Report:
    known: dict[str, Any] = {
        "repo_full_name": "octo/shop",
        "html_url": REPOSITORY,
        "head_sha": HEAD,
        "base_branch": "main",
        "counts": Counts(total=12, passed=12 - len(causes), failed=len(causes)),
        "runs": (run(),),
        "causes": causes,
        "flakes": (),
        "cancelled_jobs": (),
        "runs_without_jobs": (),
        "waiting_for_approval": (),
        "conclusion": Conclusion.FAILURE,
    }
    return Report(**known | told)


# What has got through somewhere: mentions, references, links, HTML, what ends a fence or a code span, what is unseen.
NASTY = (
    "@octocat", "@octo/team please", "#123", "GH-123", "octo/shop#1",
    "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "http://evil.example", "www.evil.example", "a@evil.example",
    "[x](http://evil.example)", "![x](//evil.example/a.png)", "<script>alert(1)</script>",
    "<img src=x onerror=y>", "<!-- ", "-->", "</code>", "</details>", "&lt;b&gt;", "&#64;octocat", "`", "``",
    "```", "````", "~~~", "` @octocat `", "```\n@octocat", "\n\n# Heading", "\n- item",
    "\n| a | b |\n|---|---|\n", "a|b", "\\`", "\\", "*bold*", "__bold__", "~~gone~~",
    "[ref]: http://evil.example", "[^1]", "$x$", "$`x`$", "$$\nx\n$$", "/retest", "\n/approve", "\r/close",
    "bors r+", "##[error]@octocat", "##[error]`", "::error::x", ":tada:", "\t", " ", "", "\u202egnp.exe",
    "\u2066x\u2069", "zero\u200bwidth", "a\u200db", "\ufeff", "\x00", "\x1b[31mred", "\x85@octocat",
    "\u2028@octocat", "\ud800", "\udfff@octocat", "\U000e0041\U000e0042", "\u3164", "1. one", "> quote",
    "---", "===", "> [!NOTE]", "<http://evil.example>", "javascript:alert(1)", "````text", "x" * 500,
    "`" * 90, "😀" * 300, "<!-- runledger:failure-comment pull=1 sequence=1 state=red -->",
)  # fmt: skip
nasty = st.sampled_from(NASTY)
texts = st.one_of(nasty, st.text(max_size=30), st.lists(nasty, max_size=4).map("".join))


class Maker:
    """Makes reports of any shape out of a few texts.

    The shape is by chance, of a seed: quick to draw, and a report that fails is told in few words.
    """

    def __init__(self, seed: int, words: list[str]) -> None:
        self.chance = Random(seed)
        self.words = [*words, "", "CI", f"{SERVER}/octo/shop/actions/runs/1"]

    def text(self) -> str:
        return self.chance.choice(self.words)

    def maybe(self) -> str | None:
        return self.chance.choice([None, self.text()])

    def url(self) -> str | None:
        text = self.text()
        return self.chance.choice(
            [None, text, f"{SERVER}/{text}", f"{SERVER}{text}", f"{SERVER}@{text}/", f"{SERVER}/a) {text}"]
        )

    def conclusion(self) -> str:
        return self.chance.choice(["success", "failure", "timed_out", "cancelled", "startup_failure", self.text()])

    def several(self, make: Callable[[], T], most: int, least: int = 0) -> tuple[T, ...]:
        return tuple(make() for _ in range(self.chance.randint(least, most)))

    def run(self) -> Run:
        return run(
            1,
            self.text(),
            workflow_path=self.text(),
            conclusion=self.conclusion(),
            html_url=self.url(),
            head_branch=self.maybe(),
        )

    def job(self) -> Job:
        told = {"conclusion": self.conclusion(), "html_url": self.url(), "step": self.maybe()}
        return job(10, self.text(), in_set_up=self.chance.random() < 0.2, **told)

    def failure(self) -> Failure:
        lines = self.several(self.text, 22)
        return failure(
            self.chance.choice([None, self.text(), *lines]),
            source=self.chance.choice(list(Source)),
            kind=self.text(),
            step=self.maybe(),
            test=self.maybe(),
            exit_code=self.chance.choice([None, 1, -1073741510]),
            lines=lines,
            further=self.several(self.text, 2),
            is_generic=self.chance.random() < 0.2,
        )

    def evidence(self) -> Evidence:
        alike = self.chance.choice([None, True, False])
        base = Base(self.text(), self.text(), self.chance.randint(0, 20), self.chance.choice([0, 20]), alike)
        return Evidence(self.chance.choice([None, base]), self.several(lambda: 7, 4))

    def cause(self) -> Cause:
        of = self.chance.choice(list(FailureClass))
        return Cause(
            of,
            self.several(
                lambda: FailedJob(
                    self.job(), self.run(), self.chance.choice([None, self.failure()]), self.evidence(), of
                ),
                6,
                least=1,
            ),
        )

    def flake(self) -> Flake:
        attempts = tuple(enumerate(self.several(self.conclusion, 9), start=1))
        return Flake(self.job(), self.run(), attempts, self.chance.randint(0, 120))

    def report(self) -> Report:
        return report(
            *self.several(self.cause, 6),
            html_url=self.chance.choice([REPOSITORY, REPOSITORY, self.text()]),
            head_sha=self.text(),
            base_branch=self.maybe(),
            counts=Counts(*(self.chance.choice([0, 1, 7, 500]) for _ in range(7))),
            flakes=self.several(self.flake, 7),
            cancelled_jobs=self.several(self.job, 7),
            runs_without_jobs=self.several(self.run, 7),
            waiting_for_approval=self.several(self.run, 7),
            conclusion=self.chance.choice([None, *Conclusion]),
            seconds_left=self.chance.choice([None, 0, 90, 100_000]),
        )


seeds = st.integers(0, 2**32)
words = st.lists(texts, min_size=1, max_size=5)


def without_progress(told: Report) -> Report:
    """The same report, had other jobs got further."""
    return replace(
        told, counts=Counts(99, 1, 2, 3, 4, 5, 6), seconds_left=7, cancelled_jobs=(), waiting_for_approval=()
    )
