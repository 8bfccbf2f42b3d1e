"""The tables on the pages of families are what the code gives."""

import importlib
from pathlib import Path

import pytest

pytestmark = pytest.mark.export

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_they_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SCRIPTS)
    assert importlib.import_module("families").stale() == []
