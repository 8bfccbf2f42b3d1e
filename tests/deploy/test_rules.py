"""The rules are what Prometheus takes, and alerts come when they should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.tools
HERE = Path(__file__).parent
RULES = HERE.parents[1] / "deploy" / "observability" / "rules.yaml"


@pytest.mark.parametrize("arguments", [("check", "rules", RULES), ("test", "rules", HERE / "rules_test.yaml")])
def test_promtool_finds_nothing(arguments: tuple[object, ...]) -> None:
    found = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
