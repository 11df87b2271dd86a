"""What Prometheus can read about this process. Every label's values come from a bounded set, whoever is asking.

Names follow https://prometheus.io/docs/practices/naming/: times in seconds, sizes in bytes, counters end in `_total`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.errors import RunledgerError
from bot.tallies import Spread, Tally

# They would double the number of series to tell when each began.
disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

# GitHub's documentation names them all at https://docs.github.com/en/webhooks/webhook-events-and-payloads; these are
# the ones that an App with our permissions is sent.
KNOWN_EVENTS = frozenset(
    {
        "check_run",
        "check_suite",
        "github_app_authorization",
        "installation",
        "installation_repositories",
        "installation_target",
        "ping",
        "pull_request",
        "repository",
        "workflow_job",
        "workflow_run",
    }
)
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

FEEDBACK_TIMES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 75.0, 120.0, 300.0, 900.0)

DELIVERIES = Tally("runledger_deliveries", "Deliveries posted to the webhook", ("event", "result"), registry=REGISTRY)
HANDLED = Tally(
    "runledger_deliveries_handled", "Deliveries that a worker is through with", ("event", "result"), registry=REGISTRY
)
BATCH_SIZE = Histogram(
    "runledger_batch_deliveries",
    "Deliveries handled in one transaction",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000),
    registry=REGISTRY,
)
MISSED = Counter(
    "runledger_deliveries_missed", "Deliveries that did not arrive, by what was done", ("outcome",), registry=REGISTRY
)
ACTIONS = Counter(
    "runledger_actions", "Buttons pressed on GitHub, by what became of it", ("kind", "outcome"), registry=REGISTRY
)
HANDLER_SECONDS = Spread(
    "runledger_handler_seconds", "Time to turn one delivery into facts", ("event",), buckets=FAST, registry=REGISTRY
)
QUERY_SECONDS = Spread(
    "runledger_query_seconds", "Time to answer one query of the API", ("query",), buckets=FAST, registry=REGISTRY
)
HTTP_REQUESTS = Tally("runledger_http_requests", "Requests answered", ("route", "method", "status"), registry=REGISTRY)
BYTES_IN_FLIGHT = Gauge(
    "runledger_webhook_bytes_in_flight", "Bytes of webhook bodies held in memory", registry=REGISTRY
)
GITHUB_REQUESTS = Counter(
    "runledger_github_requests", "Requests to GitHub, by how they ended", ("installation", "outcome"), registry=REGISTRY
)
GITHUB_BUDGET_REMAINING = Gauge(
    "runledger_github_budget_remaining",
    "Requests that GitHub still takes in this hour from an installation (0: from the App itself)",
    ("installation",),
    registry=REGISTRY,
)
GITHUB_WAIT_SECONDS = Histogram(
    "runledger_github_wait_seconds",
    "Time that requests to GitHub waited for their turn",
    ("lane",),
    buckets=(0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0),
    registry=REGISTRY,
)
FEEDBACK = Counter(
    "runledger_feedback",
    "Check summaries and comments, by what was done: why a check was written, or how a comment was",
    ("what", "outcome"),
    registry=REGISTRY,
)
FEEDBACK_WAIT_SECONDS = Histogram(
    "runledger_feedback_wait_seconds",
    "Time that what was due to be written waited for its turn",
    ("urgency",),
    buckets=FEEDBACK_TIMES,
    registry=REGISTRY,
)
FAILURE_TO_FEEDBACK_SECONDS = Histogram(
    "runledger_failure_to_feedback_seconds",
    "Time from the end of the first job that failed to when a check or comment first told of it",
    ("what",),
    buckets=FEEDBACK_TIMES,
    registry=REGISTRY,
)
FAILURES_CLASSIFIED = Counter(
    "runledger_failures_classified",
    "Failed jobs in completed check summaries, by whose fault they are, again where that turned out otherwise",
    ("failure_class",),
    registry=REGISTRY,
)
FAILURES_EXAMINED = Counter(
    "runledger_failures_examined", "Looks into why a job failed, by what they found", ("outcome",), registry=REGISTRY
)
LOG_BYTES = Histogram(
    "runledger_job_log_bytes",
    "Sizes of the logs of failed jobs that were read",
    buckets=(10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0, 100_000_000.0),
    registry=REGISTRY,
)
LOG_SECONDS = Histogram(
    "runledger_job_log_seconds",
    "Time to read the log of a failed job",
    buckets=(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
    registry=REGISTRY,
)
SIGN_INS = Counter(
    "runledger_sign_ins", "People who came back from GitHub, by outcome", ("outcome",), registry=REGISTRY
)
LOOKS = Counter(
    "runledger_sight_looks",
    "Times that GitHub was asked what a person sees, by outcome",
    ("outcome",),
    registry=REGISTRY,
)
GITHUB_OUTCOMES = ("answered", "not_modified", "rate_limited", "refused", "failed", "no_answer")


@contextmanager
def time_query(query: str) -> Iterator[None]:
    """Note how long a block takes that answers a query of the API, however it ends."""
    began = perf_counter()
    try:
        yield
    finally:
        QUERY_SECONDS.observe(perf_counter() - began, query)


def event_label(event: str) -> str:
    """Return `event` where GitHub sends it to such an App, else `other`: a stranger must not be able to add series."""
    return event if event in KNOWN_EVENTS else "other"


def count_delivery(event: str, result: str) -> None:
    """Count one post to the webhook: accepted, duplicate, refused_…, unavailable, disconnected or failed."""
    DELIVERIES.count(event_label(event), result)


def count_handled(event: str, result: str) -> None:
    """Count one delivery that a worker handled, such as `handled`, `ignored`, `retried` or `dead`."""
    HANDLED.count(event_label(event), result)


def observe_reading(event: str, seconds: float) -> None:
    """Note how long reading a delivery took."""
    HANDLER_SECONDS.observe(seconds, event_label(event))


def count_missed(outcome: str, deliveries: int) -> None:
    """Count what was done about deliveries that did not arrive: redelivered (each time), rebuilt or given_up."""
    MISSED.labels(outcome).inc(deliveries)


def count_action(kind: str, outcome: str) -> None:
    """Count one button that was pressed: done, refused, failed or expired."""
    ACTIONS.labels(kind, outcome).inc()


def count_request(route: str, method: str, status: int) -> None:
    """Count one answer; `route` is the path's template, never the path itself."""
    HTTP_REQUESTS.count(route, method if method in KNOWN_METHODS else "other", str(status))


def count_github_request(installation: str, outcome: str) -> None:
    """Count one request to GitHub; `outcome` is one of GITHUB_OUTCOMES."""
    GITHUB_REQUESTS.labels(installation, outcome).inc()


def count_feedback(what: str, outcome: str) -> None:
    """Count one write of a check or a comment.

    A check's outcome is first_failure, completion or progress, a comment's create or edit; both may be postponed or
    given_up.
    """
    FEEDBACK.labels(what, outcome).inc()


def count_classified(failure_classes: Iterable[str]) -> None:
    """Count failed jobs of a completed check summary that were not told before to be whose fault they are."""
    for each in failure_classes:
        FAILURES_CLASSIFIED.labels(each).inc()


def count_examined(outcome: str) -> None:
    """Count one look into a failed job: annotations, log or step, where its cause was found, or retried.

    Of a job's looks only the last one finds its cause.
    """
    FAILURES_EXAMINED.labels(outcome).inc()


def observe_log(size: int, seconds: float) -> None:
    """Note one log that was read whole: its bytes, and how long that took."""
    LOG_BYTES.observe(size)
    LOG_SECONDS.observe(seconds)


def forget_installation(installation: str) -> None:
    """Stop telling of an installation that is no longer there."""
    GITHUB_BUDGET_REMAINING.remove_by_labels({"installation": installation})
    GITHUB_REQUESTS.remove_by_labels({"installation": installation})


def gauge(name: str, explanation: str, values: Iterable[tuple[dict[str, str], float]]) -> Metric:
    """Return a gauge that is looked up anew at each scrape, so that what is gone from the database is gone here too."""
    labelled = list(values)
    family = GaugeMetricFamily(name, explanation, labels=list(labelled[0][0]) if labelled else [])
    for labels, value in labelled:
        family.add_metric(list(labels.values()), value)
    return family


class _Looked(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def serve(port: int) -> None:
    """Serve this process's own metrics on a port of loopback, for a worker, which has no other.

    Raises RunledgerError when the port is taken.
    """
    try:
        start_http_server(port, addr="127.0.0.1", registry=REGISTRY)
    except OSError as error:
        message = f"can't serve metrics on port {port}: {error.strerror or error}"
        raise RunledgerError(message) from None


def render(looked_up: list[Metric]) -> tuple[bytes, str]:
    """Return the exposition text, this process's own metrics before those `looked_up`, and its media type."""
    registry = CollectorRegistry()
    registry.register(_Looked(looked_up))
    return generate_latest(REGISTRY) + generate_latest(registry), CONTENT_TYPE_LATEST
