"""Cost curves from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from brood.protocol.errors import InvalidArgument
from brood.simulation.curves import affine, read_curves


def test_curves_are_read(tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_text('{"step": {"1": 0.01, "8": 0.012}, "decode": {"1": 1}}')
    assert read_curves(path) == {"step": {1: 0.01, 8: 0.012}, "decode": {1: 1.0}}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{}", "costs.json: empty; allowed: "),
        ('{"step": {}}', "costs.json: empty; allowed: "),
        ('{"step": {"1": 0}}', "costs.json.step.1: 0 is not allowed; allowed: greater than 0"),
        ('{"step": {"0": 1}}', "costs.json.step.0"),
        ('{"step": {"1": 1e999}}', "costs.json"),
        ("[1]", "costs.json: "),
        ("{", "costs.json: "),
    ],
)
def test_what_is_no_curve_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "costs.json"
    path.write_text(text)
    with pytest.raises(InvalidArgument, match=complaint):
        read_curves(path)


def test_an_affine_curve() -> None:
    assert affine(2.0, 0.5, (1, 4)) == {1: 2.5, 4: 4.0}
