import pytest

from brood_export.card import operations, write_card
from brood_export.limits import FLOAT32
from helpers.tiny_models import tiny_manifest, tiny_spec

pytestmark = pytest.mark.export


def test_parameters_say_what_is_allowed() -> None:
    text = operations(tiny_manifest(tiny_spec("diffusion")))
    assert "- parameter `sampler`: str, one of ddpm, ddim, euler, euler-ancestral, dpmpp-2m, default dpmpp-2m; " in text
    assert "- parameter `steps`: int, 1 to 1000 steps, default 20; " in text
    assert "- input `mask`: [1, 4, 4], 1 where the picture is kept" in text


def test_a_required_parameter_says_so() -> None:
    text = operations(tiny_manifest(tiny_spec("vae")))
    assert "- parameter `label`: int, 0 to 2, required; class of what is given, 0 to 2" in text


@pytest.mark.parametrize("pictured", [True, False])
def test_a_sheet_is_shown_if_there_is_one(pictured: bool) -> None:
    card = write_card(tiny_manifest(tiny_spec("gan")), (), FLOAT32, "## Training\n\nlong\n", pictured=pictured)
    assert ("](preview.png)" in card) is pictured
    assert "\n\n## Training\n\nlong\n\n## Operations" in card
