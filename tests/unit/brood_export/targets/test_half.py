"""A network in float16, and everything around it in float32."""

from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto

from brood.runtimes.onnx_external import weights_dtype
from brood.store.store import read_bundle
from brood_export import Misfit, ParityFailed, export
from brood_export.limits import FLOAT16
from brood_export.targets.half import in_network
from brood_export.verify import verify_bundle
from helpers.own_models import DcGan, OwnRbm, OwnUnet

pytestmark = pytest.mark.export

UNET: dict[str, Any] = {"shape": (1, 4, 4), "prediction": "epsilon", "betas": "linear", "train_steps": 40, "steps": 4}


def test_the_network_is_lowered_and_the_solver_row_is_not(tmp_path: Path) -> None:
    torch.manual_seed(3)
    done = export(OwnUnet(), family="diffusion", out=tmp_path, name="half", precision="fp16", buckets=(1, 3), **UNET)
    worst = max(difference.max_abs for difference in done.differences)
    assert 1e-5 < worst <= FLOAT16.max_abs  # it is another precision, and near enough
    manifest = read_bundle(done.directory).manifest
    assert manifest.provenance["precision"] == "float16"
    assert "Allowed: 0.02 and 35 dB" in (done.directory / "card.md").read_text()
    content = (done.directory / "step.onnx").read_bytes()
    assert weights_dtype(content) == "float16"
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(content))
    kinds = {value.name: value.type.tensor_type.elem_type for value in [*model.graph.value_info, *model.graph.output]}
    named = {node.op_type: {kinds[name] for name in node.output} for node in model.graph.node}
    assert named["Conv"] == {TensorProto.FLOAT16}
    assert named["Sin"] == named["Split"] == {TensorProto.FLOAT}
    assert {kinds[value.name] for value in model.graph.output} == {TensorProto.FLOAT, TensorProto.BOOL}
    assert verify_bundle(done.directory).failed == []


def test_a_node_is_of_the_network_if_its_module_is() -> None:
    def node(scopes: str) -> onnx.NodeProto:
        made = onnx.helper.make_node("Mul", ["a"], ["b"])
        made.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
        return made

    assert in_network(node("['', 'model.net', 'mul']"))
    assert in_network(node("['', 'step', 'step.model', 'mul']"))
    assert not in_network(node("['', 'mul']"))
    assert not in_network(onnx.helper.make_node("Mul", ["a"], ["b"]))


def test_what_has_no_float16_is_refused(tmp_path: Path) -> None:
    words: dict[str, Any] = {"out": tmp_path, "name": "half", "precision": "fp16"}
    decisions = "fp16 is not allowed for family 'rbm': a decision that rounding turns makes another sample"
    with pytest.raises(Misfit, match=decisions):
        export(OwnRbm(), family="rbm", image=(1, 3, 3), **words)
    with pytest.raises(Misfit, match="precision: fp16 is not allowed with runtime 'torchscript'; allowed: with onnx"):
        export(DcGan(), family="gan", latent=(6, 1, 1), runtime="torchscript", **words)
    with pytest.raises(Misfit, match="precision: 'fp8' is not allowed; there are fp32, fp16"):
        export(DcGan(), family="gan", latent=(6, 1, 1), **words | {"precision": "fp8"})
    assert list(tmp_path.iterdir()) == []


def test_a_network_beyond_float16_is_refused(tmp_path: Path) -> None:
    class Loud(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = torch.nn.Linear(4, 12)

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.tanh(self.up(z * 1e6) * 1e-6)

    torch.manual_seed(3)
    with pytest.raises(ParityFailed, match=r"generate, random inputs, output '(sample|ok)', 1 rows: differs by"):
        export(Loud(), family="gan", out=tmp_path, name="loud", precision="fp16", latent=4, buckets=(1, 2))
    assert list(tmp_path.iterdir()) == []
