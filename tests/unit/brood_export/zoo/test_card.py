import pytest

from brood_export.zoo.card import BAR_COUNT, bars, training_section

pytestmark = pytest.mark.export

REPORT: dict[str, object] = {
    "name": "glyphs-vae",
    "seed": 72,
    "steps": 7000,
    "batch": 128,
    "learning_rate": 2e-3,
    "architecture": "two layers",
    "data": "60,000 pictures",
    "parameters": 123456,
    "seconds": 312.0,
    "curves": {"step": [1.0, 2.0, 3.0], "loss": [3.0, 2.0, 1.0]},
    "heldout": {"bits_per_dim": 1.25, "sample_accuracy": 0.98},
}


def test_bars_go_from_low_to_high() -> None:
    assert bars([0.0, 1.0, 7.0]) == "▁▂█"
    assert bars([2.0, 2.0]) == "▁▁"
    assert len(bars([float(k) for k in range(1000)])) <= BAR_COUNT


def test_a_section_says_how_to_make_the_model_again() -> None:
    text = training_section(REPORT)
    for words in (
        "60,000 pictures",
        "parameters: 123,456",
        "7,000 steps of 128 rows",
        "time: 5.2 minutes",
        "`brood-export zoo train glyphs-vae`",
        "| loss | 3 | █▅▁ | 1 |",
        "| sample_accuracy | 0.98 |",
    ):
        assert words in text
    assert "| step |" not in text
