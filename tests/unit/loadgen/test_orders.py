"""What requests ask for, in words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brood.loadgen.orders import Order, read_orders
from brood.protocol.errors import InvalidArgument


def test_an_order_of_every_word(tmp_path: Path) -> None:
    np.save(tmp_path / "hole.npy", np.ones((1, 2), np.float32))
    text = (
        "100% model=m version=2 operation=complete n=3 seed=7 format=npy accept=safetensors priority=bulk"
        " deadline_ms=500 determinism=exact preview_every=2 steps=20 eta=0.5 sampler=ddim flag=true"
        f" mask=@{tmp_path}/hole.npy"
    )
    (order,) = read_orders([text])
    np.testing.assert_array_equal(order.inputs["mask"], np.ones((1, 2), np.float32))
    assert order.common == {
        "version": 2,
        "priority": "bulk",
        "deadline_ms": 500.0,
        "determinism": "exact",
        "preview_every": 2,
    }
    assert order.params == {"steps": 20, "eta": 0.5, "sampler": "ddim", "flag": True}
    assert (order.model, order.operation, order.n, order.seed) == ("m", "complete", 3, 7)
    assert (order.format, order.accept, order.share) == ("npy", "safetensors", 1.0)


def test_what_is_left_out_has_defaults() -> None:
    first, second = read_orders(["30% model=a", "70% model=b n=2"])
    assert first == Order("a", share=0.3, label="model=a")
    assert second == Order("b", share=0.7, label="model=b n=2", n=2)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("100% n=1", "requests.model: missing"),
        ("100% model=a n=0", 'requests.n: "0" is not allowed'),
        ("100% model=a seed=-1", 'requests.seed: "-1" is not allowed'),
        ("100% model=a accept=gif", 'requests.accept: "gif" is not allowed'),
        ("100% model=a n=2 accept=npy", 'requests.accept: "npy" is not allowed; allowed: json or safetensors'),
        ("100% model=a image=@nowhere.npy", "requests.image: nowhere.npy: .*allowed: an .npy file"),
        ("100% model=a image=@{here}/text.npy", "requests.image: .*allowed: an .npy file"),
        ("100% model=a image=@{here}/words.npy", "requests.image: .*allowed: an .npy file of plain numbers"),
    ],
)
def test_a_wrong_order_is_refused_by_name(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    with pytest.raises(InvalidArgument, match=complaint):
        read_orders([text.format(here=tmp_path)])
