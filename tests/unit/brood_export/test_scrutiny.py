"""What a model's code must not do: each is refused with the line, the module and a remedy."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from brood.protocol.manifest import GraphInput, GraphOutput
from brood_export.blame import line_of
from brood_export.errors import NotExportable, StaticRows
from brood_export.families.base import StepGraph
from brood_export.scrutiny import scrutinise
from helpers.tiny_models import MODELS, tiny_spec

pytestmark = pytest.mark.export


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class Inner(nn.Module):
    """A model whose part draws."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.Sequential(nn.Linear(4, 4), Noisy())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.blocks(x)
        return found


class Dropping(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.dropout(x, 0.5)  # ignores the mode


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        if x.sum() > 0:
            return x
        return -x


class Reading(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * float(x.mean())


class Scattering(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.zeros_like(x)
        y[:, torch.tensor([0, 2])] = x[:, :2]
        return y


class Scattered(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x).scatter_(1, torch.zeros(len(x), 1, dtype=torch.int64), x)


class Choosing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[x > 0].sum() + x


class Baked(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(3, 2, 2).flatten(1)


class Lost(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(0, keepdim=True)


class Mixing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0, keepdim=True)


class Writing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2.0)


class Fine(nn.Module):
    """Looks like some of the others, and is not."""

    def __init__(self) -> None:
        super().__init__()
        self.drop, self.norm, self.table = nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Embedding(3, 4)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] != 4:
            raise ValueError("four, please")
        y = torch.zeros_like(x)
        y[:, 1:3] = x[:, :2]
        label = (x[:, 0] > 0).long()
        hot = nn.functional.one_hot(label, 4).float()
        y = nn.functional.scaled_dot_product_attention(y[:, None], y[:, None], y[:, None])[:, 0]
        found: Tensor = self.norm(self.drop(torch.where(x > 0, x, y))) + self.table(label) + hot
        return found


class Only(nn.Module):
    """A model whose one result is the graph's one output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return (self.model(x),)


def graph_of(module: nn.Module) -> StepGraph:
    return StepGraph(
        module=Only(module).eval(),
        inputs={"x": GraphInput(dtype="float32", shape=(4,), role="input")},
        outputs={"y": GraphOutput(dtype="float32", shape=(4,), role="output")},
        ranges={"x": (-1.0, 1.0)},
    )


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            Inner,
            [
                "draws random numbers of its own (randn_like)",
                "return x + torch.randn_like(x)",
                "(module blocks.1)",
            ],
        ),
        (Dropping, ["draws random numbers", "nn.functional.dropout(x, 0.5)", "noise comes from the request's seed"]),
        (Branching, ["lets Python decide", "if x.sum() > 0:", "use torch.where"]),
        (Reading, ["lets Python decide", "(__float__)", "return x * float(x.mean())"]),
        (Scattering, ["writes into a part of a tensor in place", "y[:, torch.tensor([0, 2])]", "torch.where"]),
        (Scattered, ["writes into a part of a tensor in place (scatter_)", "torch.zeros_like(x).scatter_"]),
        (Choosing, ["makes a tensor whose size depends on values", "x[x > 0]"]),
        (Writing, ["writes into its input 'x'", "x = x + y instead of x += y"]),
        (Mixing, ["output 'y' of a row depends on the other rows", "BatchNorm"]),
    ],
)
def test_what_no_graph_can_do_is_refused(make: Callable[[], nn.Module], words: list[str]) -> None:
    with pytest.raises(NotExportable) as caught:
        scrutinise("step", graph_of(make()))
    assert str(caught.value).startswith("graph 'step'")
    for text in words:
        assert text in str(caught.value)


def test_the_line_is_that_of_the_models_file() -> None:
    with pytest.raises(NotExportable, match=re.escape("test_scrutiny.py, line ")):
        scrutinise("step", graph_of(Inner()))


def test_a_number_of_rows_in_the_code_is_refused_with_its_line() -> None:
    with pytest.raises(StaticRows) as caught:
        scrutinise("step", graph_of(Baked()))
    assert "runs with 3 rows, not with 1: test_scrutiny.py, line" in str(caught.value)
    assert "return x.reshape(3, 2, 2)" in str(caught.value)
    assert "x.shape[0], or -1" in str(caught.value)


def test_an_output_without_rows_is_refused() -> None:
    with pytest.raises(StaticRows, match=r"output 'y' is \[1, 4\] for 3 rows"):
        scrutinise("step", graph_of(Lost()))


def test_what_only_looks_like_it_is_let_through_and_left_as_it_was() -> None:
    module = Fine()
    scrutinise("step", graph_of(module))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


@pytest.mark.parametrize("family", list(MODELS))
def test_the_families_own_graphs_pass(family: str) -> None:
    for name, graph in tiny_spec(family).graphs.items():
        scrutinise(name, graph)


def test_without_a_line_of_the_model_the_exporter_says_so() -> None:
    assert line_of([]) == "a line of the exporter"
