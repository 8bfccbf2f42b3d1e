"""Options come from an adapter's own signature; what is missing is said in the words of its docstring."""

from pathlib import Path

import numpy as np
import pytest
from torch import nn

from brood_export.errors import Misfit
from brood_export.families import FAMILIES, Examples
from brood_export.options import checked_options, options_of

pytestmark = pytest.mark.export


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_option_says_what_it_is(family: str) -> None:
    for option in options_of(FAMILIES[family]).values():
        assert option.text, option.name
        assert option.allowed


def test_all_that_is_missing_is_named_with_what_it_is() -> None:
    with pytest.raises(Misfit) as caught:
        checked_options("diffusion", FAMILIES["diffusion"], {"classes": 3})
    message = str(caught.value)
    assert message.startswith("family 'diffusion' also needs shape (some whole numbers with commas between): of one")
    assert "prediction (one of epsilon, v, x0): what m is of x" in message
    assert "betas (one of linear, scaled_linear, cosine): the noise schedule of the training" in message


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"latnt": 3}, "no option 'latnt'; did you mean 'latent'?"),
        ({"zzz": 3}, "no option 'zzz'; there are latent, classes, value_range"),
        ({"latent": "3"}, "latent: '3' is not allowed; allowed: a whole number or some whole numbers"),
        ({"latent": 3, "classes": True}, "classes: True is not allowed; allowed: a whole number"),
        ({"latent": 3, "value_range": (0.0, 1.0, 2.0)}, "value_range: .* allowed: 2 numbers with commas between"),
    ],
)
def test_wrong_ones_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(Misfit, match=words):
        checked_options("gan", FAMILIES["gan"], given)


def test_lists_are_as_good_as_tuples() -> None:
    given = checked_options("gan", FAMILIES["gan"], {"latent": [100, 1, 1], "value_range": [-1, 1]})
    assert given == {"latent": (100, 1, 1), "value_range": (-1, 1)}


@pytest.mark.parametrize(
    ("family", "name", "text", "value"),
    [
        ("gan", "latent", "100", 100),
        ("gan", "latent", "100,1,1", (100, 1, 1)),
        ("gan", "value_range", "-1,1", (-1.0, 1.0)),
        ("vae", "image", "1x28x28", (1, 28, 28)),
        ("diffusion", "prediction", "v", "v"),
        ("diffusion", "beta_end", "0.02", 0.02),
        ("diffusion", "output", "point", "point"),
    ],
)
def test_text_of_the_command_line(family: str, name: str, text: str, value: object) -> None:
    option = options_of(FAMILIES[family])[name]
    assert option.parse(text) == value
    assert option.fits(value)


@pytest.mark.parametrize(
    ("family", "name", "text"),
    [("gan", "latent", "x"), ("vae", "image", "28,x"), ("diffusion", "betas", "sigmoid"), ("gan", "classes", "1.5")],
)
def test_text_that_means_nothing(family: str, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        options_of(FAMILIES[family])[name].parse(text)


def test_examples_from_a_file(tmp_path: Path) -> None:
    option = options_of(FAMILIES["vae"])["examples"]
    np.savez(tmp_path / "some.npz", images=np.zeros((2, 1, 4, 4)), labels=np.array([1, 2]))
    found = option.parse(str(tmp_path / "some.npz"))
    assert isinstance(found, Examples)
    assert found.images.dtype == np.float32
    assert found.labels.tolist() == [1, 2]
    np.savez(tmp_path / "few.npz", images=np.zeros((2, 1, 4, 4)))
    unlabelled = option.parse(str(tmp_path / "few.npz"))
    assert isinstance(unlabelled, Examples)
    assert unlabelled.labels.tolist() == [0, 0]
    for name in ("none.npz", "empty.npz"):
        (tmp_path / "empty.npz").write_text("")
        with pytest.raises(Misfit, match=r"an \.npz file with images and labels"):
            option.parse(str(tmp_path / name))


def test_numbers_from_a_file(tmp_path: Path) -> None:
    option = options_of(FAMILIES["diffusion"])["alphas_cumprod"]
    np.save(tmp_path / "levels.npy", np.linspace(1, 0, 3, dtype=np.float32))
    found = option.parse(str(tmp_path / "levels.npy"))
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.float64
    with pytest.raises(Misfit, match=r"an \.npy file of numbers"):
        option.parse(str(tmp_path / "other.npy"))


def test_modules_are_no_text() -> None:
    assert not options_of(FAMILIES["gan"])["latent"].fits(nn.Identity())
