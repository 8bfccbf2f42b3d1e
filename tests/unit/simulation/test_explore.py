"""Sweeps, capacities and plots."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from brood.protocol.errors import InvalidArgument
from brood.simulation.curves import affine
from brood.simulation.explore import find_capacity, sweep
from brood.simulation.kinds import read_mix
from brood.simulation.plot import plot
from brood.simulation.setting import Setting
from brood.simulation.traces import Drawn

SETTING = Setting({"step": affine(0.010, 0.0002, (1, 2, 4, 8))})
MIXED = Drawn(read_mix(["50% steps=2", "50% steps=12"]), 300, 0)
IDEAL = SETTING.ideal_rate(MIXED.shares)


def test_latency_rises_with_load_until_there_is_too_much() -> None:
    points = sweep(["step-level", "padded"], MIXED.at, SETTING, IDEAL, (0.2, 0.5, 2.0))
    assert [(point.policy, point.load) for point in points][:3] == [
        ("step-level", 0.2),
        ("padded", 0.2),
        ("step-level", 0.5),
    ]
    step = [point.summary for point in points if point.policy == "step-level"]
    assert step[0].total.latency.mean < step[1].total.latency.mean < step[2].total.latency.mean
    assert [summary.saturated for summary in step] == [False, False, True]
    assert step[2].occupancy > 0.95


def test_points_are_json_without_nan() -> None:
    (point,) = sweep(["step-level"], MIXED.at, Setting(SETTING.curves, max_backlog_s=1e-9), IDEAL, (2.0,))
    words = json.loads(json.dumps(point.words(), allow_nan=False))
    assert words["summary"]["total"]["refused"] > 150
    assert words["summary"]["total"]["p95_of_all"] is None


def test_the_capacity_is_where_the_promise_breaks() -> None:
    found = find_capacity("step-level", MIXED.at, SETTING, IDEAL, slo_s=0.3)
    below, above = sweep(["step-level"], MIXED.at, SETTING, IDEAL, (found.load, found.load + 0.02))
    assert below.summary.total.p95_of_all <= 0.3 < above.summary.total.p95_of_all
    assert found.rate == pytest.approx(found.load * IDEAL)
    assert find_capacity("step-level", MIXED.at, SETTING, IDEAL, slo_s=0.01).rate == 0.0


def test_capacity_can_be_bought() -> None:
    one, two = (
        find_capacity("step-level", MIXED.at, setting, setting.ideal_rate(MIXED.shares), slo_s=0.3).rate
        for setting in (SETTING, Setting(SETTING.curves, replicas=2))
    )
    assert two > 1.9 * one


def test_a_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    points = sweep(["step-level", "padded"], MIXED.at, SETTING, IDEAL, (0.3, 0.6))
    plot(points, tmp_path / "load.png", "title")
    assert (tmp_path / "load.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InvalidArgument, match=r"plot: .*load.xyz: Format 'xyz' is not supported"):
        plot(points, tmp_path / "load.xyz")


def test_without_matplotlib_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InvalidArgument, match=r"plot: matplotlib is not installed; .* brood\[export\]"):
        plot(sweep(["padded"], MIXED.at, SETTING, IDEAL, (0.3,)), tmp_path / "load.png")
