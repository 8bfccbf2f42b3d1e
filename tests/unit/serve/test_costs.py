"""What rows cost at a worker."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from brood.serve.costs import RowCosts, costs_of
from helpers.bundles import once_bundle, steps_bundle
from helpers.engine import engine_model


def test_an_operation_costs_its_steps_and_what_is_made_once(tmp_path: Path) -> None:
    model = engine_model(steps_bundle(tmp_path))
    found = costs_of(model)
    assert sorted(found) == ["complete", "generate"]
    step_s, finish_s, begin_s = (model.costs.row_s(graph) for graph in ("step", "finish", "begin"))
    assert found["generate"].row_s(10) == pytest.approx(10 * step_s + finish_s)
    assert found["complete"].row_s(10) == pytest.approx(10 * step_s + finish_s + begin_s)
    assert found["generate"].batch == max(model.costs.cap("step"), model.costs.cap("finish"))


def test_a_row_of_what_is_not_known_costs_no_less_than_it_takes(tmp_path: Path) -> None:
    costs = RowCosts()
    assert costs.row_s("once", "generate") == math.inf
    model = engine_model(once_bundle(tmp_path))
    costs.ready(model)
    assert costs.row_s("once", "generate") == model.costs.row_s("generate")
    assert costs.row_s("once", "gone") == math.inf
