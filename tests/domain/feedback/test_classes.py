"""Whose fault a failure is: what excuses, and above all what does not."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.feedback.classes import classify, is_lost, is_set_up
from bot.domain.feedback.report import NO_LOG, Base, Evidence, Failure, FailureClass, Source
from tests.domain.feedback.reports import failure, job

NOTHING = Evidence()
LOST = "The self-hosted runner: forge-3 lost communication with the server. Verify the machine is running and has"
SIGNAL = "The runner has received a shutdown signal. This can happen when the runner service is stopped, or a manually"


UNCLEAR = Base("main", "9f8e7d6", 3, 20, None, is_unclear=True)


def base(fails_alike: bool | None, passed: int = 20) -> Base:
    return Base("main", "9f8e7d6", passed, 20, fails_alike)


def plain(**told: Any) -> Failure:
    return failure(**{"test": None, "exit_code": None, "lines": (), **told})


NO_LOG_OF_IT = plain(anchor=None, source=Source.STEP, kind=NO_LOG, exit_code=1, is_generic=True, fingerprints=None)


@pytest.mark.parametrize(
    ("evidence", "of_one_that_says_something", "of_a_generic_one"),
    [
        (NOTHING, FailureClass.NO_BASE, FailureClass.NO_BASE),
        (Evidence(base(False)), FailureClass.NEW, FailureClass.NEW),
        (Evidence(base(True)), FailureClass.BASE, FailureClass.NO_BASE),
        (Evidence(base(None)), FailureClass.PENDING, FailureClass.NO_BASE),
        (Evidence(UNCLEAR), FailureClass.NO_BASE, FailureClass.NO_BASE),
        (Evidence(UNCLEAR, (4, 5), 2), FailureClass.FLAKY, FailureClass.NO_BASE),
        (Evidence(None, (4,)), FailureClass.NO_BASE, FailureClass.NO_BASE),
        (Evidence(None, (4, 5), 2), FailureClass.FLAKY, FailureClass.NO_BASE),
        # Others had a part of it alone, or the base had it as well.
        (Evidence(base(False), (4, 5), 1), FailureClass.NEW, FailureClass.NEW),
        (Evidence(base(False), (4, 5)), FailureClass.NEW, FailureClass.NEW),
        (Evidence(base(False), (4,)), FailureClass.NEW, FailureClass.NEW),
        (Evidence(base(False), (4, 5), 2), FailureClass.FLAKY, FailureClass.NEW),
        (Evidence(base(None), (4, 5), 2), FailureClass.FLAKY, FailureClass.NO_BASE),
        # What the base does today is more certain than what others saw in a fortnight.
        (Evidence(base(True), (4, 5), 2), FailureClass.BASE, FailureClass.NO_BASE),
    ],
)
def test_what_the_evidence_comes_to(
    evidence: Evidence, of_one_that_says_something: FailureClass, of_a_generic_one: FailureClass
) -> None:
    assert classify(job(), failure(), evidence) is of_one_that_says_something
    assert classify(job(), failure(is_generic=True), evidence) is of_a_generic_one
    assert classify(job(), failure(fingerprints=None), evidence) is of_a_generic_one
    assert classify(job(), None, evidence) is FailureClass.PENDING


@pytest.mark.parametrize(
    "told",
    [
        {"test": "test_a"},
        {"test": None, "kind": "network"},
        {"test": None, "kind": "rust"},
        {"test": None, "kind": "javascript", "source": Source.ANNOTATIONS},
        {"test": None, "kind": "runner"},
    ],
)
def test_whatever_fails_alike_for_two_others_is_likely_flaky(told: dict[str, Any]) -> None:
    assert classify(job(), failure(**told), Evidence(base(False), (4, 5), 2)) is FailureClass.FLAKY
    assert classify(job(), failure(**told), Evidence(base(False), (4, 5), 1)) is FailureClass.NEW
    assert classify(job(), failure(**told, is_generic=True), Evidence(base(False), (4, 5), 2)) is FailureClass.NEW


@pytest.mark.parametrize(
    ("told_of_job", "said"),
    [
        # No step failed: it was broken off from outside.
        ({"step": None}, plain(anchor=LOST, source=Source.ANNOTATIONS)),
        ({"step": None}, plain(anchor=f"##[error]{LOST}")),
        ({"step": None}, plain(anchor="The hosted runner: GitHub Actions 12 lost communication with the server.")),
        ({"step": None}, plain(anchor="The hosted runner encountered an error while running your job.")),
        ({"step": None}, plain(anchor=SIGNAL)),
        (
            {"step": None},
            plain(anchor="The job was not acquired by Runner of type hosted even after multiple attempts"),
        ),
        # GitHub has no log, whichever step failed.
        ({"step": None}, NO_LOG_OF_IT),
        ({}, NO_LOG_OF_IT),
        ({"step": "Set up job", "in_set_up": True}, NO_LOG_OF_IT),
        # GitHub itself noted it on the job.
        ({}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS)),
        ({}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS, exit_code=143)),
        ({"conclusion": "cancelled", "step": None}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS)),
    ],
)
def test_infrastructure_excuses_whatever_else_holds(told_of_job: dict[str, Any], said: Failure) -> None:
    for evidence in (NOTHING, Evidence(base(True), (4, 5)), Evidence(base(False))):
        assert classify(job(**told_of_job), said, evidence) is FailureClass.INFRA


@pytest.mark.parametrize(
    ("told_of_job", "evidence", "expected"),
    [
        ({}, NOTHING, FailureClass.PENDING),
        ({"step": "Set up job", "in_set_up": True}, Evidence(base(False)), FailureClass.PENDING),
        # It was broken off, most likely with its log; or its log would excuse nothing.
        ({"step": None}, NOTHING, FailureClass.INFRA),
        ({"conclusion": "timed_out"}, Evidence(base(False)), FailureClass.NEW),
        ({}, Evidence(base(False), lost_before=1), FailureClass.NEW),
    ],
)
def test_a_step_that_failed_is_not_excused_while_its_log_is_awaited(
    told_of_job: dict[str, Any], evidence: Evidence, expected: FailureClass
) -> None:
    said = msgspec.structs.replace(NO_LOG_OF_IT, awaits_log=True)
    assert classify(job(**told_of_job), said, evidence) is expected


@pytest.mark.parametrize(
    ("told_of_job", "said"),
    [
        # A test that speaks of such things, in whatever step.
        ({}, plain(anchor=SIGNAL, kind="runner")),
        ({}, plain(anchor=f"##[error]{SIGNAL}", kind="runner")),
        ({}, plain(anchor=f"E   AssertionError: {LOST}", kind="runner")),
        ({}, plain(anchor=f"got: {SIGNAL}", source=Source.ANNOTATIONS)),
        # `echo "::error::…"` makes an annotation as well, but then the process ends of its own accord.
        ({}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS, exit_code=1)),
        ({}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS, test="test_shutdown")),
        ({"step": None}, plain(anchor=f"AssertionError: {LOST}")),
        ({"step": None}, plain(anchor="AssertionError: 1 != 2")),
        # A log that could not be read, or words that are told as its kind.
        ({}, plain(anchor=None, source=Source.STEP, is_generic=True)),
        ({"step": None}, plain(anchor=None, source=Source.STEP, is_generic=True)),
        ({}, plain(anchor="E assert 1 == 2", kind=NO_LOG)),
        # Whoever cancelled it: nothing is noted but that.
        ({"conclusion": "cancelled", "step": None}, plain(anchor=SIGNAL)),
        ({"conclusion": "cancelled", "step": None}, plain(anchor=None, source=Source.ANNOTATIONS)),
        ({"conclusion": "cancelled", "step": None}, plain(anchor="E assert", source=Source.ANNOTATIONS)),
        ({"conclusion": "cancelled", "step": None}, NO_LOG_OF_IT),
        # Time that was up.
        ({"conclusion": "timed_out"}, NO_LOG_OF_IT),
        ({"conclusion": "timed_out", "step": None}, NO_LOG_OF_IT),
        ({"conclusion": "startup_failure", "step": None}, NO_LOG_OF_IT),
        ({"conclusion": "timed_out", "step": None}, plain(anchor=None, source=Source.STEP)),
        ({"conclusion": "timed_out", "step": "Set up job", "in_set_up": True}, plain(anchor="x")),
        ({"step": None}, plain(anchor="The job running on runner R has exceeded the maximum execution time of 6 min.")),
        ({}, plain(anchor="The action 'Run tests' has timed out after 5 minutes.", source=Source.ANNOTATIONS)),
        ({"step": None}, plain(anchor=SIGNAL, further=("The job has exceeded the maximum execution time of 1h0m0s",))),
        ({"conclusion": "startup_failure", "step": None}, plain(anchor=None, source=Source.STEP)),
        # What the workflow itself asks for in vain.
        ({"step": "Set up job", "in_set_up": True}, plain(anchor="Unable to resolve action `a/b@v9`, unable to find")),
        ({"step": "Initialize containers", "in_set_up": True}, plain(anchor="x", lines=("manifest unknown",))),
        # A job that could not be set up, and nobody knows why.
        ({"step": "Set up job", "in_set_up": True}, plain(anchor=None, source=Source.STEP, is_generic=True)),
        # A step of the workflow that has such a name.
        ({"step": "Set up job"}, plain(anchor="x")),
        ({"step": "Pull the data"}, plain(anchor="x")),
    ],
)
def test_what_only_looks_like_infrastructure_excuses_nothing(told_of_job: dict[str, Any], said: Failure) -> None:
    assert not classify(job(**told_of_job), said, NOTHING).is_excused
    assert classify(job(**told_of_job), said, Evidence(base(False))) is FailureClass.NEW


_WORDS = st.sampled_from([LOST, SIGNAL, f"##[error]{SIGNAL}", "AssertionError", "manifest unknown", ""]) | st.text()
_FAILURES = st.builds(
    failure,
    _WORDS | st.none(),
    source=st.sampled_from(Source),
    kind=st.sampled_from(["runner", "python", "unknown", NO_LOG]),
    test=st.none() | st.text(min_size=1),
    exit_code=st.none() | st.sampled_from([0, 1, 137, 143]),
    further=st.lists(_WORDS, max_size=2).map(tuple),
    is_generic=st.booleans(),
)
_EVIDENCE = st.builds(
    Evidence,
    st.none() | st.builds(base, st.none() | st.booleans()),
    st.lists(st.integers(1, 99), unique=True, max_size=4).map(tuple),
)
_JOBS = st.builds(
    job,
    conclusion=st.sampled_from(["failure", "timed_out", "startup_failure"]),
    step=st.none() | st.sampled_from(["Set up job", "Run pytest"]),
    in_set_up=st.booleans(),
)


@given(_JOBS, st.none() | _FAILURES, _EVIDENCE)
def test_nothing_unknown_and_nothing_generic_excuses(job: Any, said: Failure | None, evidence: Evidence) -> None:
    found = classify(job, said, evidence)
    if found is FailureClass.INFRA:
        assert job.conclusion == "failure"
        assert said is not None
        assert job.step is None or job.in_set_up or said.has_no_log or said.source is Source.ANNOTATIONS
    elif found.is_excused:
        assert said is not None
        assert not said.is_generic
        assert (evidence.base is not None and evidence.base.fails_alike) or len(evidence.others) > 1
    if found is FailureClass.NEW:
        assert evidence.base is not None
        assert evidence.base.fails_alike is False


@given(_FAILURES, _EVIDENCE)
def test_words_alone_never_make_a_failed_step_infrastructure(said: Failure, evidence: Evidence) -> None:
    if said.source is not Source.ANNOTATIONS and not said.has_no_log:
        assert classify(job(step="Run pytest"), said, evidence) is not FailureClass.INFRA


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["Set up job"], True),
        (["Set up job", "Set up runner"], True),
        (["Set up job", "Pull ghcr.io/octo/db:16", "Initialize containers"], True),
        (["Set up job", "Pull alpine:3.20"], True),
        (["Set up job", "Pull latest changes"], False),
        (["Set up job", "Run actions/checkout@v4"], False),
        (["Set up job", "Run actions/checkout@v4", "Initialize containers"], False),
        (["Set up job", "Set up Python"], False),
        (["Initialize containers"], False),
        ([], False),
    ],
)
def test_which_steps_are_the_runners_own(steps: list[str], expected: bool) -> None:
    assert is_set_up(steps) is expected


# While a job is set up, and a runner that is lost again


@pytest.mark.parametrize(
    "said",
    [
        "Response status code does not indicate success: 503 (Service Unavailable).",
        "Response status code does not indicate success: 429 (Too Many Requests).",
        "Error response from daemon: received unexpected HTTP status: 502 Bad Gateway",
        "Failed to download archive 'https://codeload.github.com/octo/setup/tar.gz/1' after 3 attempts.",
        'Get "https://registry-1.docker.io/v2/": net/http: request canceled while waiting for connection',
        'Get "https://ghcr.io/v2/": net/http: TLS handshake timeout',
        "dial tcp 44.205.64.79:443: i/o timeout",
        "read tcp 10.1.0.4:3322->140.82.121.33:443: read: connection reset by peer",
        "dial tcp 140.82.121.34:443: connect: connection refused",
        "dial tcp: lookup registry-1.docker.io on 127.0.0.53:53: no such host",
        "dial tcp: lookup ghcr.io: Temporary failure in name resolution",
        "No such host is known. (api.github.com:443): api.github.com: Name or service not known",
        "The SSL connection could not be established, see inner exception.",
        "The HTTP request timed out after 00:01:40.",
        "toomanyrequests: You have reached your pull rate limit.",
        "API rate limit exceeded for installation ID 7.",
        "write /var/lib/docker/tmp/GetImageBlob1: no space left on device",
        SIGNAL,
    ],
)
def test_a_fault_outside_excuses_a_job_that_could_not_be_set_up(said: str) -> None:
    setting_up = job(step="Set up job", in_set_up=True)
    assert classify(setting_up, plain(anchor=said), NOTHING) is FailureClass.INFRA
    last = plain(anchor="Docker pull failed with exit code 1", lines=(said,))
    assert classify(setting_up, last, Evidence(base(False))) is FailureClass.INFRA
    assert classify(job(step="Set up job"), plain(anchor=said), NOTHING) is FailureClass.NO_BASE


@pytest.mark.parametrize(
    "said",
    [
        "One or more containers failed to start.",
        "Failed to initialize container postgres:16",
        "An action could not be found at the URI 'https://api.github.com/repos/octo/503/tarball/x'",
        "Missing download info for actions/cache@v1",
        "Fail to load octo/setup/action.yml",
        "octo/setup/action.yml (Line: 3, Col: 1): Unexpected value 'timed out'",
        "Top level 'runs:' section is required for /home/runner/work/_actions/octo/setup/v1/action.yml",
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "Error response from daemon: denied: requested access to the resource is denied",
        "Error response from daemon: unauthorized: authentication required",
        "Docker pull failed with exit code 1",
        "Docker create failed with exit code 125",
        "Container operations are only supported on Linux runners",
        "The template is not valid. .github/workflows/ci.yml (Line: 5): Unexpected value ''",
        "Unable to resolve action `octo/rate limit@v9`, unable to find version `v9`",
        "The nested depth of composite actions exceeds 10",
        'Get "http://localhost:5000/v2/": dial tcp 127.0.0.1:5000: connect: connection refused',
        "dial tcp: lookup ghrc.io on 10.0.0.2:53: no such host",
    ],
)
def test_what_was_asked_for_in_vain_excuses_no_set_up(said: str) -> None:
    setting_up = job(step="Initialize containers", in_set_up=True)
    assert classify(setting_up, plain(anchor=said), NOTHING) is FailureClass.NO_BASE
    assert classify(setting_up, plain(anchor=said), Evidence(base(False))) is FailureClass.NEW
    assert classify(setting_up, plain(anchor=said), Evidence(base(True))) is FailureClass.BASE


def test_a_container_that_did_not_start_is_not_excused_by_what_it_printed() -> None:
    said = plain(anchor="One or more containers failed to start.", lines=("psql: connection refused", "timed out"))
    assert classify(job(step="Initialize containers", in_set_up=True), said, NOTHING) is FailureClass.NO_BASE


@pytest.mark.parametrize(
    ("told_of_job", "said", "expected"),
    [
        ({"step": None}, plain(anchor=LOST), True),
        ({"step": None}, NO_LOG_OF_IT, True),
        ({}, NO_LOG_OF_IT, False),
        ({"step": None}, plain(anchor=None, source=Source.STEP), False),
        ({}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS), True),
        ({}, plain(anchor=SIGNAL), False),
        ({"conclusion": "cancelled", "step": None}, plain(anchor=SIGNAL, source=Source.ANNOTATIONS), True),
        ({"conclusion": "cancelled", "step": None}, plain(anchor=None, source=Source.ANNOTATIONS), False),
        ({"step": None}, plain(anchor="The job was not acquired by Runner of type hosted"), False),
        ({"step": None}, plain(anchor="GitHub Actions has encountered an internal error"), False),
        ({"step": "Set up job", "in_set_up": True}, plain(anchor=SIGNAL), False),
    ],
)
def test_which_runners_were_lost_at_work(told_of_job: dict[str, Any], said: Failure, expected: bool) -> None:
    assert is_lost(job(**told_of_job), said) is expected


def test_a_runner_that_is_lost_again_does_not_excuse() -> None:
    lost, said = job(step=None), plain(anchor=LOST, source=Source.ANNOTATIONS)
    assert classify(lost, said, Evidence(base(False), lost_before=0)) is FailureClass.INFRA
    assert classify(lost, said, Evidence(base(False), lost_before=1)) is FailureClass.NEW
    assert classify(lost, said, Evidence(base(True), (4, 5), lost_before=1)) is FailureClass.NO_BASE
    assert classify(lost, said, Evidence(None, (4, 5), lost_before=2)) is FailureClass.NO_BASE
