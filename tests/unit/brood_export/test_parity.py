import math

import numpy as np
import pytest

from brood_export.limits import FLOAT32
from brood_export.parity import Difference, compare, span_of, table, worst
from brood_export.reference import EDGE

pytestmark = pytest.mark.export

SAFE = np.ones(2, np.float32)


def difference(**changes: object) -> Difference:
    facts: dict[str, object] = {
        "where": "step",
        "check": "random inputs",
        "output": "image",
        "rows": 2,
        "max_abs": 5e-5,
        "psnr_db": 90.0,
        "excused": 0,
        "whole": False,
    }
    return Difference(**{**facts, **changes})  # type: ignore[arg-type]


def test_differences_are_in_units_of_the_range() -> None:
    expected = np.zeros((2, 4), np.float32)
    found = expected.copy()
    found[1, 2] = 0.02
    max_abs, psnr, excused = compare(found, expected, span=2.0, margin=SAFE)
    assert max_abs == pytest.approx(0.01)
    assert psnr == pytest.approx(-10 * math.log10(0.01**2 / 8))
    assert excused == 0


def test_equal_arrays_have_no_psnr() -> None:
    assert compare(np.ones((2, 3)), np.ones((2, 3)), span=1.0, margin=SAFE) == (0.0, None, 0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_infinitely_far(value: float) -> None:
    max_abs, psnr, _ = compare(np.array([[0.0], [value]]), np.zeros((2, 1)), span=1.0, margin=SAFE)
    assert max_abs == math.inf
    assert psnr is not None
    assert psnr < 0


def test_only_rows_on_edge_are_excused_and_only_if_they_differ() -> None:
    margin = np.array([EDGE / 2, EDGE / 2, 2 * EDGE], np.float32)
    expected = np.zeros((3, 2))
    found = np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert compare(found, expected, span=1.0, margin=margin) == (0.0, None, 1)
    found[2, 1] = 1.0
    max_abs, _, excused = compare(found, expected, span=1.0, margin=margin)
    assert (max_abs, excused) == (1.0, 1)


def test_the_range_includes_zero() -> None:
    assert span_of([np.array([2.0, 3.0])]) == 3.0
    assert span_of([np.array([-1.0]), np.array([0.5])]) == 1.5
    assert span_of([np.zeros(3, bool)]) == 1.0


@pytest.mark.parametrize(
    "changes",
    [{}, {"psnr_db": None, "max_abs": 0.0}, {"whole": True, "max_abs": 0.0, "psnr_db": None}, {"excused": 3}],
)
def test_near_enough_is_no_complaint(changes: dict[str, object]) -> None:
    assert difference(**changes).complaint(FLOAT32) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_abs": 2e-4}, "step, random inputs, output 'image', 2 rows: differs by 0.0002 of the range"),
        ({"psnr_db": 49.0}, "PSNR 49.0 dB"),
        ({"max_abs": 1e-6, "whole": True}, "allowed 0"),
        ({"max_abs": math.inf, "psnr_db": -2000.0}, "differs by inf"),
    ],
)
def test_a_complaint_says_where_and_by_how_much(changes: dict[str, object], words: str) -> None:
    assert words in (difference(**changes).complaint(FLOAT32) or "")


def test_the_worst_of_several() -> None:
    figure = worst([difference(), difference(rows=32, max_abs=1e-5, psnr_db=None, excused=2), difference(psnr_db=80.0)])
    assert (figure.rows, figure.max_abs, figure.psnr_db, figure.excused) == ((2, 32), 5e-5, 80.0, 2)


def test_the_table_has_one_line_for_each_output_and_check() -> None:
    lines = table([difference(), difference(rows=32), difference(output="label", psnr_db=None)]).splitlines()
    assert len(lines) == 4
    assert lines[2] == "| step | random inputs | image | 2, 32 | 5.0e-05 | 90.0 | 0 |"
    assert lines[3].endswith("| equal | 0 |")
