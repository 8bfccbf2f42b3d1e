"""No panel or alert without a metric, no metric without a panel or alert, no alert without advice."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from brood.observe.catalogue import CATALOGUE
from brood.observe.triton import ALIASES
from helpers.markdown import anchors

ROOT = Path(__file__).parents[3]
OWN = ROOT / "deploy" / "observability"
SERIES = {series: spec for spec in CATALOGUE for series in spec.series}
NAME = re.compile(r"\b(?:brood[_:][a-z0-9_:]+|nv_[a-z_]+|up)\b(?!\s*=)")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
OUTER = {"instance", "job", "le"}  # labels that scraping and histograms add


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("observability")


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((OWN / "rules.yaml").read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for path in (OWN / "dashboards").glob("*.json") for panel in json.loads(path.read_text())["panels"]]


def expressions() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel["targets"]] + [rule["expr"] for rule in rules()]


def test_files_are_what_the_script_makes(script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert script.stale() == []


def test_every_name_in_a_query_is_that_of_a_metric() -> None:
    known = {*SERIES, "up", *(rule["record"] for rule in rules() if "record" in rule)}
    assert {name for expression in expressions() for name in NAME.findall(expression)} <= known


def test_every_metric_is_looked_at() -> None:
    named = {name for expression in expressions() for name in NAME.findall(expression)}
    assert [spec.name for spec in CATALOGUE if not named & set(spec.series)] == []


def test_every_metric_was_seen_under_load() -> None:
    page = (ROOT / "docs" / "metrics-run.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `.*` \| (.*) \|$", page, re.MULTILINE))
    assert list(rows) == [*(spec.name for spec in CATALOGUE), *(alias.name for alias in ALIASES)]
    assert "nothing" not in rows.values()


def test_queries_group_by_labels_that_are_there() -> None:
    for expression in expressions():
        there = {label for name in NAME.findall(expression) if name in SERIES for label in SERIES[name].labels} | OUTER
        if any(name in SERIES for name in NAME.findall(expression)):
            for labels in GROUPED.findall(expression):
                assert {label.strip() for label in labels.split(",")} <= there, expression


def test_every_record_is_used_or_told_of() -> None:
    text = "\n".join([*(rule["expr"] for rule in rules()), (ROOT / "docs" / "operate.md").read_text()])
    assert [rule["record"] for rule in rules() if "record" in rule and rule["record"] not in text] == []


def test_every_alert_says_how_much_it_matters_and_the_documents_what_to_do() -> None:
    alerts = {rule["alert"]: rule for rule in rules() if "alert" in rule}
    assert all(rule["labels"]["severity"] in ("page", "ticket") for rule in alerts.values())
    assert all({"summary", "description"} <= rule["annotations"].keys() for rule in alerts.values())
    assert {name.lower() for name in alerts} <= anchors(ROOT / "docs" / "operate.md")


def test_panels_say_what_they_show_and_stand_beside_each_other() -> None:
    for path in (OWN / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in board["panels"]]
        assert len(set(places)) == len(places)
        assert all(panel["description"].endswith(".") for panel in board["panels"])
        assert board["uid"] == f"brood-{path.stem}"
