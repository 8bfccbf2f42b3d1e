"""Names and labels keep to the conventions of Prometheus, and stay few."""

from __future__ import annotations

import re

import pytest

from brood.observe.catalogue import CATALOGUE, Spec

UNITS = ("seconds", "bytes", "ratio", "rows", "total", "info", "ready", "failed", "processes", "links", "requests")


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_a_name_says_its_unit_and_its_kind(spec: Spec) -> None:
    assert re.fullmatch(r"brood_[a-z_]+", spec.name)
    assert spec.name.endswith(UNITS)
    assert spec.name.endswith("_total") == (spec.kind == "counter")
    assert bool(spec.buckets) == (spec.kind == "histogram")
    assert spec.help.endswith(".")


@pytest.mark.parametrize("spec", CATALOGUE, ids=lambda spec: spec.name)
def test_no_label_is_one_that_callers_or_time_can_grow(spec: Spec) -> None:
    known = {"model", "operation", "protocol", "code", "reason", "graph", "version", "family", "device", "part"}
    assert set(spec.labels) <= known | {"numerics_id"}  # of a bundle on this device: as many as there are versions


def test_names_are_different() -> None:
    names = [series for spec in CATALOGUE for series in spec.series]
    assert len(names) == len(set(names))
