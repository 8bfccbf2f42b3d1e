"""One trace a request: in its caller's if there is one, with a span for each part of its time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from brood.observe.spans import TracedRequests, collector
from brood.observe.trace import CURRENT, begin, trace_of
from helpers.observer import FakeObserver

ID, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MS = 1_000_000


class Spans:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[ReadableSpan] = []
        self.closed = False

    def on_end(self, span: ReadableSpan) -> None:
        self.sent.append(span)

    def shutdown(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def _no_request() -> Iterator[None]:
    token = CURRENT.set(None)
    yield
    CURRENT.reset(token)


@pytest.fixture
def spans() -> Spans:
    return Spans()


def made(spans: Spans, ratio: float = 0.0) -> TracedRequests:
    return TracedRequests(FakeObserver(), spans, ratio)


def work(traced: TracedRequests, code: str = "ok") -> None:
    traced.timed("vae", "generate", "queue", 0.010)
    traced.timed("vae", "generate", "run", 0.050)
    traced.timed("vae", "generate", "encode", 0.002)
    traced.timed("vae", "generate", "encode", 0.003)
    traced.finished("vae", "generate", "http", code, 0.1, 4)


def test_a_request_joins_its_callers_trace_and_tells_its_parts(spans: Spans) -> None:
    trace = trace_of(f"00-{ID}-{PARENT}-01")
    begin("r1", trace)
    work(made(spans))
    root, *parts = spans.sent
    assert (root.name, root.kind) == ("generate vae", SpanKind.SERVER)
    assert root.context is not None
    assert f"{root.context.trace_id:032x}" == ID
    assert f"{root.context.span_id:016x}" == trace.span_id  # as the header traceresponse tells
    assert root.parent is not None
    assert f"{root.parent.span_id:016x}" == PARENT
    assert root.attributes is not None
    assert root.attributes["brood.request_id"] == "r1"
    assert root.attributes["brood.samples"] == 4
    assert [span.name for span in parts] == ["queue", "run", "encode"]
    assert root.start_time is not None
    times = [((span.start_time or 0) - root.start_time, (span.end_time or 0) - root.start_time) for span in parts]
    assert times == [(0, 10 * MS), (10 * MS, 60 * MS), (95 * MS, 100 * MS)]
    assert all(span.parent == root.context for span in parts)
    assert len({span.context.span_id for span in spans.sent if span.context}) == 4


def test_a_failure_is_one_but_giving_up_is_none(spans: Spans) -> None:
    for code in ("internal", "cancelled"):
        begin("r1", trace_of(f"00-{ID}-{PARENT}-01"))
        made(spans).finished("vae", "generate", "http", code, 0.1, 0)
    assert [span.status.status_code for span in spans.sent] == [StatusCode.ERROR, StatusCode.UNSET]


def test_a_caller_who_does_not_record_gets_no_trace(spans: Spans) -> None:
    begin("r1", trace_of(f"00-{ID}-{PARENT}-00"))
    work(made(spans, ratio=1.0))
    assert spans.sent == []


@pytest.mark.parametrize(("ratio", "number"), [(0.0, 0), (1.0, 4)])
def test_of_requests_without_a_trace_a_part_is_recorded(spans: Spans, ratio: float, number: int) -> None:
    begin("r1", None)
    work(made(spans, ratio))
    assert len(spans.sent) == number
    assert all(span.parent is None for span in spans.sent[:1])


def test_nothing_is_recorded_outside_of_a_request(spans: Spans) -> None:
    work(made(spans, ratio=1.0))
    assert spans.sent == []


async def test_requests_side_by_side_keep_their_parts_apart(spans: Spans) -> None:
    traced = made(spans, ratio=1.0)

    async def request(number: int) -> None:
        begin(f"r{number}", None)
        traced.timed("vae", "generate", "queue", number * 0.001)
        await asyncio.sleep(0)
        traced.finished("vae", "generate", "http", "ok", 0.1, 1)

    await asyncio.gather(*(request(number) for number in (1, 2)))
    queues = [span for span in spans.sent if span.name == "queue"]
    assert [(span.end_time or 0) - (span.start_time or 0) for span in queues] == [1 * MS, 2 * MS]


def test_everything_is_counted_too(spans: Spans) -> None:
    counting = FakeObserver()
    traced = TracedRequests(counting, spans, 0.0)
    work(traced)
    traced.rejected("vae", "generate", "http", "overloaded")
    assert [end.code for end in counting.ended] == ["ok"]
    assert len(counting.times) == 4
    assert counting.refused == [("vae", "generate", "http", "overloaded")]
    traced.close()
    assert spans.closed


def test_a_collector_that_is_not_there_hinders_nobody() -> None:
    sink = collector("http://127.0.0.1:9/")
    sink.shutdown()
