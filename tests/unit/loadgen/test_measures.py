"""Stages in numbers."""

from __future__ import annotations

import json

import pytest

from brood.loadgen.measures import summarize
from brood.loadgen.orders import Order
from brood.loadgen.outcome import DIFFERS, UNREACHABLE, WRONG, Outcome
from brood.loadgen.run import Plan, Run
from brood.loadgen.stages import Open

ORDERS = (Order("a", 0.5, "a"), Order("b", 0.5, "b n=4", n=4))


def run_of(*outcomes: Outcome, orders: tuple[Order, ...] = ORDERS, cpu_s: float = 0.01) -> Run:
    return Run(Open(10, 10), Plan(orders, seconds=10.0, warm_up_s=2.0), outcomes, cpu_s, 20.0)


def right(due: float, took: float, order: int = 0) -> Outcome:
    return Outcome(order, due, due + 0.001, due + took, size=100)


def failed(due: float, code: str, order: int = 0) -> Outcome:
    return Outcome(order, due, due, due + 0.0001, code, f"{code} at {due:g}")


def test_only_what_was_due_after_the_warm_up_counts() -> None:
    total = summarize(run_of(right(1.9, 0.1), right(2.0, 0.1), failed(1.0, WRONG))).total
    assert (total.requests, total.right, total.errors) == (1, 1, {})


def test_what_failed_never_ends_and_so_cannot_make_latencies_look_better() -> None:
    """90 slow good answers and 10 quick refusals: the refusals stand at the far end."""
    total = summarize(run_of(*[right(3.0, 1.0)] * 90, *[failed(3.0, "overloaded")] * 10)).total
    assert total.latency_ms is not None
    assert total.latency_of_right_ms is not None
    assert [total.latency_ms.p50, total.latency_ms.p90] == pytest.approx([1000, 1000])
    assert (total.latency_ms.p95, total.latency_ms.worst, total.latency_ms.mean) == (float("inf"), float("inf"), None)
    assert [total.latency_of_right_ms.p999, total.latency_of_right_ms.mean] == pytest.approx([1000, 1000])
    assert (total.errors, total.examples) == ({"overloaded": 10}, {"overloaded": "overloaded at 3"})


def test_percentiles_are_values_that_were() -> None:
    total = summarize(run_of(*[right(3.0, 0.001 * number) for number in range(1, 101)])).total
    assert total.latency_ms is not None
    found = [total.latency_ms.p50, total.latency_ms.p90, total.latency_ms.p95, total.latency_ms.p99]
    assert found == pytest.approx([50, 90, 95, 99])
    assert [total.latency_ms.p999, total.latency_ms.worst] == pytest.approx([100, 100])


def test_rates_count_what_was_complete_within_the_stage() -> None:
    """One is due before and complete within, one the other way round: in a long run, they make up for each other."""
    outcomes = [right(1.5, 1.0), right(3.0, 1.0), right(4.0, 1.0, 1), right(11.9, 1.0), right(0.5, 1.0)]
    total = summarize(run_of(*outcomes), slo_s=0.5).total
    assert (total.right, total.done_per_s, total.samples_per_s, total.bytes_per_s) == (3, 0.3, 0.6, 30)
    assert total.good_per_s == 0


def test_goodput_is_right_and_in_time() -> None:
    outcomes = [right(3.0, 0.1), right(3.0, 0.3), failed(3.0, "overloaded"), failed(3.0, DIFFERS)]
    total = summarize(run_of(*outcomes), slo_s=0.2).total
    assert total.good_per_s == pytest.approx(0.1)
    assert summarize(run_of(*outcomes)).total.good_per_s is None


def test_wrong_bytes_are_counted_apart() -> None:
    total = summarize(run_of(failed(3, WRONG), failed(3, DIFFERS), failed(3, UNREACHABLE), right(3, 1))).total
    assert total.bad_bytes == 2


def test_orders_of_a_mix_have_figures_of_their_own() -> None:
    summary = summarize(run_of(right(3, 1), right(3, 2, 1), failed(3, WRONG, 1)))
    assert {label: each.requests for label, each in summary.kinds.items()} == {"a": 1, "b n=4": 2}
    assert summarize(run_of(right(3, 1), orders=ORDERS[:1])).kinds == {}


def test_moments_of_streams() -> None:
    stream = Outcome(0, 3.0, 3.0, 4.0, first=3.5, preview=3.2)
    total = summarize(run_of(stream, right(3, 1))).total
    assert total.first_sample_ms is not None
    assert total.first_preview_ms is not None
    assert [total.first_sample_ms.p50, total.first_preview_ms.p50] == pytest.approx([500, 200])
    assert summarize(run_of(right(3, 1))).total.first_sample_ms is None


def test_what_the_load_itself_took() -> None:
    own = summarize(run_of(*[right(1.0, 0.1)] * 50, *[right(3.0, 0.1)] * 50, cpu_s=0.01)).own
    assert [own.cpu_us, own.cores] == pytest.approx([100, 0.0005])
    assert own.requests == 100
    assert own.delay_ms is not None
    assert own.delay_ms.p99 == pytest.approx(1.0)


def test_json_has_words_for_what_is_not_a_number() -> None:
    words = summarize(run_of(failed(3.0, UNREACHABLE))).words()
    assert json.loads(json.dumps(words, allow_nan=False)) == words
    assert words["total"]["latency_ms"]["p50"] == "never"
    assert words["total"]["latency_of_right_ms"] is None
    nothing = summarize(run_of()).words()
    assert (nothing["total"]["requests"], nothing["total"]["latency_ms"]) == (0, None)
