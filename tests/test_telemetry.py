"""Events become log lines and spans: complete, in place, and without secrets."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from unified_train import (
    Change,
    ConfigurationError,
    Dataset,
    Effect,
    Event,
    Failure,
    Job,
    JobChanged,
    RequestFinished,
    RetryScheduled,
    Status,
    SubmissionReconciled,
    TrainingRequest,
)
from unified_train.sandbox import Sandbox
from unified_train.sandbox.faults import Fault
from unified_train.telemetry import OpenTelemetry, log_events
from unified_train.telemetry.bare_urls import bare

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Traces:
    """Providers of our own, so that nothing global is touched, and what was recorded with them."""

    def __init__(self) -> None:
        self.spans = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        self.meters = MeterProvider([self.reader])
        self.observer = OpenTelemetry(tracer_provider=self.tracers, meter_provider=self.meters)

    def span(self, event: Event) -> ReadableSpan:
        self.observer(event)
        return self.spans.get_finished_spans()[-1]

    def events(self, event: Event) -> list[tuple[str, dict[str, Any]]]:
        """What a span that is current hears of it."""
        with self.tracers.get_tracer("app").start_as_current_span("app"):
            self.observer(event)
        return [(found.name, dict(found.attributes or {})) for found in self.spans.get_finished_spans()[-1].events]

    def durations(self) -> list[tuple[dict[str, Any], int, float]]:
        """Attributes, how many jobs, and their seconds together."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        assert (metric.name, metric.unit) == ("unified_train.job.duration", "s")
        points = [point for point in metric.data.data_points if isinstance(point, HistogramDataPoint)]
        return [(dict(point.attributes or {}), point.count, point.sum) for point in points]


@pytest.fixture
def traces() -> Iterator[Traces]:
    found = Traces()
    yield found
    found.tracers.shutdown()
    found.meters.shutdown()


def finished(**facts: Any) -> RequestFinished:
    usual = {
        "provider": "plain",
        "operation": "training.start",
        "method": "POST",
        "url": "https://plain.test:8443/v3/trainings?name=cat&sig=***",
        "effect": Effect.PAY,
        "attempt": 1,
        "seconds": 1.5,
        "status": 200,
        "error": None,
    }
    return RequestFinished(**{**usual, **facts})


def job(**facts: Any) -> Job:
    return Job(**{"provider": "plain", "kind": "training", "id": "1", "status": Status.RUNNING, **facts})


def ended(*seconds: float, status: Status = Status.SUCCEEDED) -> Job:
    """A job whose changes were seen at these seconds."""
    changes = [Change(at=NOW + timedelta(seconds=at), status=Status.RUNNING) for at in seconds[:-1]]
    last = Change(at=NOW + timedelta(seconds=seconds[-1]), status=status)
    return job(status=status, history=(*changes, last))


# -- OpenTelemetry -----------------------------------------------------------------------------------------------------


def test_an_attempt_is_a_client_span(traces: Traces) -> None:
    """It has its own beginning and length, our words for what it does, and the conventions' words for HTTP."""
    span = traces.span(finished())
    assert (span.name, span.kind) == ("plain training.start", SpanKind.CLIENT)
    assert span.start_time is not None
    assert span.end_time is not None
    assert (span.end_time - span.start_time) / 1e9 == pytest.approx(1.5)
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "unified_train.provider": "plain",
        "unified_train.operation": "training.start",
        "unified_train.effect": "pay",
        "unified_train.attempt": 1,
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": "https://plain.test:8443/v3/trainings",
        "server.address": "plain.test",
        "server.port": 8443,
    }
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "unified_train"


def test_a_failed_attempt_is_an_error(traces: Traces) -> None:
    """The class of the error is told, and which repetition it was; what is not known is left out."""
    span = traces.span(finished(status=None, error="TransportTimeout", attempt=3, effect=None))
    found = dict(span.attributes or {})
    assert span.status.status_code is StatusCode.ERROR
    assert (found["error.type"], found["http.request.resend_count"]) == ("TransportTimeout", 2)
    assert not {"http.response.status_code", "unified_train.effect"} & found.keys()


@pytest.mark.parametrize(
    ("url", "facts"),
    [
        ("https://plain.test/a", ("https://plain.test/a", "plain.test", 443)),
        ("http://[::1]/a", ("http://[::1]/a", "::1", 80)),
        ("http://plain.test:port/", (None, None, None)),
        ("***", ("***", None, None)),
    ],
)
def test_addresses_of_all_kinds(url: str, facts: tuple[Any, ...], traces: Traces) -> None:
    """The usual ports are told; an address that is none leaves the span without, not the app without a span."""
    found = dict(traces.span(finished(url=url)).attributes or {})
    assert tuple(found.get(name) for name in ("url.full", "server.address", "server.port")) == facts


def test_a_url_is_kept_without_all_that_could_be_a_secret() -> None:
    """No user, no query, not even one whose names we don't know, no fragment; and nothing of what is no URL."""
    assert bare("https://user:k-SECRET-k@host.test/a?ticket=k-SECRET-k#k-SECRET-k") == "https://host.test/a"
    assert bare("http://[k-SECRET-k") == "***"


def test_retries_and_reconciled_submissions_are_events_of_the_current_span(traces: Traces) -> None:
    """The span of the app's own request tells what happened on the way."""
    ((name, found),) = traces.events(RetryScheduled("plain", "training.poll", 1, 0.5, "RateLimited"))
    assert name == "unified_train.retry"
    assert found["error.type"] == "RateLimited"
    assert found["unified_train.delay"] == 0.5
    ((name, found),) = traces.events(SubmissionReconciled("plain", "training.start", "order-1", "adopted"))
    assert name == "unified_train.submission.reconciled"
    assert (found["unified_train.key"], found["unified_train.outcome"]) == ("order-1", "adopted")


def test_a_changed_job_is_an_event_of_the_current_span(traces: Traces) -> None:
    """It says which job, how it stands, and what the vendor calls it; without a current span nothing is made."""
    ((name, found),) = traces.events(JobChanged(job(raw_status="TRAINING", progress=0.0)))
    assert (name, found) == (
        "unified_train.job.changed",
        {
            "unified_train.job": "plain:training:1",
            "unified_train.job.status": "running",
            "unified_train.job.raw_status": "TRAINING",
            "unified_train.job.progress": 0.0,
        },
    )
    before = len(traces.spans.get_finished_spans())
    traces.observer(JobChanged(job()))
    assert len(traces.spans.get_finished_spans()) == before


def test_the_time_that_jobs_took_is_a_histogram(traces: Traces) -> None:
    """From when a job was first seen to its end; not of one that runs, nor of one that was over when first seen."""
    for changed in (ended(0, 5, 90), job(), ended(0), ended(7, 0, status=Status.FAILED)):
        traces.observer(JobChanged(changed))
    found = {attributes["unified_train.job.status"]: told for attributes, *told in traces.durations()}
    assert found == {"succeeded": [1, 90.0], "failed": [1, 0.0]}  # a clock that was set back makes no negative time


def test_a_training_makes_spans_below_the_apps_own(
    connect: Callable[..., Any], sandbox: Sandbox, photos: Dataset, traces: Traces
) -> None:
    """Uploads side by side, retries and polls are all children of the span that was current, in both colours."""
    sandbox.world.faults.add(Fault(kind="status", method="GET", path="/v3/training/*", status=503))
    client = connect("novita", observer=traces.observer)
    request = TrainingRequest(name="chelsea", dataset=photos)
    with traces.tracers.get_tracer("app").start_as_current_span("order") as order:
        client.wait(client.train(request), timeout=30)
    *requests, app = traces.spans.get_finished_spans()
    assert app.name == "order"
    names = {event.name for event in app.events}
    assert {span.parent and span.parent.span_id for span in requests} == {order.get_span_context().span_id}
    assert names == {"unified_train.job.changed", "unified_train.retry"}
    operations = [dict(span.attributes or {})["unified_train.operation"] for span in requests]
    assert operations.count("training.start") == 1
    assert operations.count("upload.put") >= len(photos.images)
    assert [seconds > 0 for *_, seconds in traces.durations()] == [True]


def test_no_signature_gets_into_a_trace_or_a_log(
    connect: Callable[..., Any],
    sandbox: Sandbox,
    photos: Dataset,
    traces: Traces,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither keys nor the signatures of presigned URLs, where an instrumented HTTP library would write them."""
    log = log_events(logging.DEBUG)

    def both(event: Event) -> None:
        traces.observer(event)
        log(event)

    seen = sandbox.world.requests
    with caplog.at_level(logging.DEBUG, "unified_train"):
        client = connect("novita", observer=both)
        training = client.wait(client.train(TrainingRequest(name="chelsea", dataset=photos)), timeout=30)
        client.download(client.wait(client.generate(training, "a portrait of {subject}"), timeout=30))
    assert any("signature" in str(entry.query).lower() for entry in seen)  # there were some to be seen
    told = "".join(span.to_json() for span in traces.spans.get_finished_spans())
    told += "".join(str(vars(record)) for record in caplog.records if record.name == "unified_train.events")
    assert "/_objects/" in told
    assert sandbox.env["NOVITA_API_KEY"] not in told
    assert "signature" not in told.lower()
    assert "Expires" not in told


def test_without_the_extra_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log lines need nothing; spans name what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    log_events()
    with pytest.raises(ConfigurationError, match=r"pip install 'unified-train\[otel\]'"):
        OpenTelemetry()


def test_opentelemetry_is_not_imported_for_log_lines() -> None:
    """Who only wants log lines pays for nothing else."""
    code = "import sys; from unified_train.telemetry import log_events as log; print('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_global_providers_are_used_if_none_is_named() -> None:
    """An app that has set nothing up gets spans that go nowhere, not an error."""
    OpenTelemetry()(finished())


# -- log lines ---------------------------------------------------------------------------------------------------------

CASES = [
    (finished(), logging.INFO, "plain training.start: POST 200 in 1.50 s"),
    (
        finished(status=None, error="TransportError", attempt=2),
        logging.WARNING,
        "plain training.start: POST no answer, TransportError in 1.50 s, attempt 2",
    ),
    (
        RetryScheduled("plain", "training.poll", 1, 0.5, "RateLimited"),
        logging.INFO,
        "plain training.poll: RateLimited, again in 0.50 s (attempt 2)",
    ),
    (
        SubmissionReconciled("plain", "training.start", "order-1", "adopted"),
        logging.WARNING,
        "plain training.start: the answer was lost; what the vendor had made of it was found (key order-1)",
    ),
    (
        SubmissionReconciled("plain", "training.start", "order-1", "absent"),
        logging.WARNING,
        "plain training.start: the answer was lost, and it was never accepted; it is sent again (key order-1)",
    ),
    (
        JobChanged(job(raw_status="TRAINING", phase="warming", progress=0.4)),
        logging.INFO,
        "plain:training:1: running (TRAINING), warming, 40%",
    ),
    (
        JobChanged(job(status=Status.FAILED, progress=0.4, error=Failure(message="no face found"))),
        logging.WARNING,
        "plain:training:1: failed: no face found",
    ),
]


@pytest.mark.parametrize(("event", "level", "line"), CASES)
def test_each_event_is_one_readable_line(event: Event, level: int, line: str, caplog: pytest.LogCaptureFixture) -> None:
    """Bad news is a warning; the kind of the event is a field."""
    with caplog.at_level(logging.DEBUG, "unified_train.events"):
        log_events()(event)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == ("unified_train.events", level, line)
    assert vars(record)["event"] == type(event).__name__


def test_the_facts_are_fields_of_the_record(caplog: pytest.LogCaptureFixture) -> None:
    """Formatters that write JSON need not take lines apart; the level and the logger are the app's choice."""
    log = logging.getLogger("app.vendor")
    with caplog.at_level(logging.DEBUG, "app.vendor"):
        log_events(logging.DEBUG, log)(finished())
        log_events(logging.ERROR, "app.vendor")(finished(error="NotFound"))
        log_events(logging.DEBUG, log)(JobChanged(job(key="order-1")))
    first, second, third = (vars(record) for record in caplog.records)
    assert (first["levelno"], second["levelno"]) == (logging.DEBUG, logging.ERROR)
    assert (first["operation"], first["http_status"], first["seconds"], first["effect"]) == (
        "training.start",
        200,
        1.5,
        "pay",
    )
    assert first["url"] == "https://plain.test:8443/v3/trainings"
    assert (third["job"], third["job_status"], third["key"]) == ("plain:training:1", "running", "order-1")


def test_what_a_vendor_says_stays_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    """Line breaks and terminal colours in its words can't forge a line, and no signature of its URLs is shown."""
    nasty = job(
        id="1\nERROR root: all is lost",
        raw_status="\x1b[31mred",
        status=Status.FAILED,
        error=Failure(message="see https://host.test/a?X-Amz-Signature=k-SECRET-k\r\nnext"),
    )
    with caplog.at_level(logging.INFO, "unified_train.events"):
        log_events()(JobChanged(nasty))
    line = caplog.records[0].getMessage()
    assert line.isprintable()
    assert "k-SECRET-k" not in line
