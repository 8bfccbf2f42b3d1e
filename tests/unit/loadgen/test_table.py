"""Figures for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from brood.loadgen.measures import Summary, summarize
from brood.loadgen.orders import Order
from brood.loadgen.outcome import WRONG, Outcome
from brood.loadgen.plot import plot
from brood.loadgen.run import Plan, Run
from brood.loadgen.stages import Closed, Open
from brood.loadgen.table import notes_of, table_of
from brood.protocol.errors import InvalidArgument

ORDERS = (Order("a", 0.5, "a"), Order("b", 0.5, "b"))
GOOD = [Outcome(number % 2, 1.0, 1.0005, 1.0 + 0.002 * number, first=1.001, preview=1.0005) for number in range(1, 101)]


def summary_of(outcomes: list[Outcome], rate: float = 10, slo_s: float | None = None) -> Summary:
    return summarize(Run(Open(rate, rate), Plan(ORDERS, seconds=10.0), outcomes, 0.05, 10.0), slo_s)


def shown(*summaries: Summary, slo_ms: float | None = None) -> list[list[str]]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table_of(summaries, slo_ms))
    return [line.split() for line in capture.get().splitlines()]


def test_a_line_for_each_stage_and_order() -> None:
    head, total, first, _ = shown(summary_of(GOOD, slo_s=0.1001), slo_ms=100)
    assert head[:4] == ["load", "requests", "right", "done/s"]
    assert total == ["10/s", "100", "100", "10", "10", *["100", "190", "198", "200", "0.5", "1", "1", "5"]]
    assert first[:3] == ["a", "50", "50"]


def test_columns_of_streams_and_goals_only_where_there_are_any() -> None:
    plain = [Outcome(0, 1.0, 1.0, 2.5)]
    head, total, *_ = shown(summary_of(plain))
    assert "preview" not in head
    assert "SLO/s" not in head
    assert total[5:] == ["1,500"] * 4


def test_what_never_was_is_said() -> None:
    broken = summary_of([*GOOD, Outcome(0, 1.0, 1.0, 1.1, WRONG, "2 samples instead of 3")])
    assert shown(broken)[1][8] == "never"
    notes = list(notes_of(broken))
    assert notes[0] == "10/s: 1 requests (1.0%) wrong_answer: 2 samples instead of 3"
    assert notes[1].startswith("10/s: the load itself took 495 µs CPU a request, 0% of a core, sent 0.5 ms (p99 0.5)")
    assert next(notes_of(summary_of([]))) == "10/s: no request was due; take a higher rate, or more seconds"


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_a_picture_of_stages(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"load.{suffix}"
    broken = summary_of([Outcome(0, 1.0, 1.0, 1.1, WRONG, "")], 40, 0.1)
    plot([summary_of(GOOD, 10, 0.1), summary_of(GOOD, 20, 0.1), broken, summary_of([], 80, 0.1)], path, "a server")
    assert path.stat().st_size > 1000


def test_a_picture_of_clients_and_one_of_no_known_kind(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    run = Run(Closed(1, 1), Plan(ORDERS, seconds=10.0), GOOD, 0.0, 10.0)
    plot([summarize(run)], tmp_path / "load.svg")
    assert "clients" in (tmp_path / "load.svg").read_text()
    with pytest.raises(InvalidArgument, match=r"plot: .*load.xyz"):
        plot([summarize(run)], tmp_path / "load.xyz")
