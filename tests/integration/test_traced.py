"""What a request leaves behind, over HTTP and gRPC, in one process and with workers of their own: a trace, and lines in
the log that name it and give nothing of it away.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import httpx2
import numpy as np
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, format_span_id, format_trace_id

from brood_client import BroodError, Client
from helpers.bundles import once_bundle
from helpers.otlp import Collector
from helpers.served import Served

pytestmark = pytest.mark.ray
SCALE = 0.765625  # exact in float32, and nowhere else in a log
tracer = TracerProvider().get_tracer("caller")


@pytest.mark.parametrize("topology", ["colocated", "split"])
def test_one_trace_from_the_client_to_the_encoded_samples(store: Path, topology: str) -> None:
    callers = {}
    with Collector() as collector:
        words = ("--models", str(store), "--model", "steps", "--topology", topology, "--threads", "1")
        served = Served(*words, "--traces-endpoint", collector.url, "--traces-ratio", "0")
        try:
            for url in (f"http://127.0.0.1:{served.http_port}", f"grpc://127.0.0.1:{served.grpc_port}"):
                protocol = url.partition(":")[0]
                with Client(url) as client, tracer.start_as_current_span("caller", kind=SpanKind.CLIENT) as caller:
                    client.generate("steps", n=3, params={"steps": 5}, request_id=f"by-{protocol}")
                    callers[protocol] = caller.get_span_context()
            # Whose caller records nothing is not recorded here.
            httpx2.post(f"http://127.0.0.1:{served.http_port}/v1/generations", json={"model": "steps"})
        finally:
            served.end()  # sends what has not been sent
    roots = {attributes(span)["brood.protocol"]: span for span in collector.spans if span.name == "generate steps"}
    assert roots.keys() == callers.keys()
    assert len(collector.spans) == 8
    for protocol, root in roots.items():
        assert root.trace_id.hex() == format_trace_id(callers[protocol].trace_id)
        assert root.parent_span_id.hex() == format_span_id(callers[protocol].span_id)
        told = attributes(root)
        assert (told["brood.request_id"], told["brood.code"], told["brood.samples"]) == (f"by-{protocol}", "ok", "3")
        parts = {span.name: span for span in collector.spans if span.parent_span_id == root.span_id}
        assert parts.keys() == {"queue", "run", "encode"}
        for part in parts.values():
            assert part.trace_id == root.trace_id
            assert (
                root.start_time_unix_nano
                <= part.start_time_unix_nano
                <= part.end_time_unix_nano
                <= root.end_time_unix_nano
            )
        assert parts["run"].end_time_unix_nano > parts["run"].start_time_unix_nano


@pytest.mark.parametrize("topology", ["colocated", "split"])
def test_the_log_names_the_request_that_failed_and_tells_nothing_that_was_in_it(tmp_path: Path, topology: str) -> None:
    once_bundle(tmp_path / "store", fails_on={"input": "label", "equals": 9})
    words = ("--models", str(tmp_path / "store"), "--topology", topology, "--log-format", "json")
    served = Served(*words, "--log-file", str(tmp_path / "log"), "--threads", "1")
    try:
        for url in (f"http://127.0.0.1:{served.http_port}", f"grpc://127.0.0.1:{served.grpc_port}"):
            protocol = url.partition(":")[0]
            with Client(url, headers={"x-api-key": "sesame"}) as client:
                with pytest.raises(BroodError, match="the graph call failed"):
                    client.generate("once", request_id=f"by-{protocol}", params={"label": 9, "scale": SCALE})
                client.reconstruct("once", np.full((1, 4, 4), SCALE, np.float32))
    finally:
        served.end()
    text = (tmp_path / "log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    named = [line["request_id"] for line in lines if "request_id" in line]
    assert {"by-http", "by-grpc"} == set(named)
    payload = base64.b64encode(np.full(4, SCALE, np.float32).tobytes()).decode()[:16]
    assert not [word for word in (str(SCALE), payload, "sesame") if word in text]


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value or str(each.value.int_value) for each in span.attributes}
