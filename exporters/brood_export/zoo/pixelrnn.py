"""glyphs-pixelrnn: a class-conditional two-dimensional LSTM over 14x14 pictures of 8 grey levels.

The joint density factorises in raster order, p(x) = prod_i p(x_i | x_<i, label) (van den Oord et al. 2016, "Pixel
Recurrent Neural Networks", https://arxiv.org/abs/1601.06759). The cell of a pixel combines the cells of its left,
up and up-right neighbours (a multi-dimensional LSTM, Graves et al. 2007, https://arxiv.org/abs/0705.2011). Following
Leifert et al. 2016, the three memories are mixed by a softmax, because a plain sum of three forget gates can
grow without bound along the many paths of a grid:

    c = f * sum_k softmax(s)_k * c_k + i * tanh(g),   h = o * tanh(c)

Cells reach only the cone of pixels within one column per row to the right, so each pixel also sees the grey
values of the whole row above: cone and row together cover every earlier pixel.

The same weights run in two ways. `logits` (training, likelihood) knows all levels and walks over the wavefronts
column + 2 row = t: the three neighbours of every pixel on wavefront t lie on t - 1 and t - 2, so a wavefront is one
batched product. `cell` (sampling) computes one pixel per row of the batch, each row at its own position. Its state
holds one cell per *column*, the last one computed there: when the pixel (r, c) is due, the slots c - 1, c
and c + 1 hold exactly its left, up and up-right neighbours.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.families.pixelrnn import draw_level, put_level
from brood_export.zoo import classifier, training
from brood_export.zoo.glyphs import CLASSES, glyphs

SIDE = 14
LEVELS = 8
LOGIT_BOUND = 10.0
RECIPE = training.Recipe(
    name="glyphs-pixelrnn",
    seed=7,
    steps=1800,
    batch=64,
    learning_rate=4e-3,
    architecture="class-conditional two-dimensional LSTM, 80 units a cell, over 14x14 pixels of 8 grey levels",
    data="30,000 pictures of the train split at 14x14, seed 0, in 8 grey levels; figures on 2,000 held-out pictures",
    pictures=30_000,
)


class GlyphsPixelRnn(nn.Module):
    """p(level | earlier levels, label) for every pixel of a `side` x `side` picture."""

    def __init__(self, side: int = SIDE, levels: int = LEVELS, hidden: int = 80, labels: int = CLASSES) -> None:
        super().__init__()
        self.side, self.levels, self.hidden, self.labels = side, levels, hidden, labels
        # Three neighbours' levels (one value more: outside), the row above, the label, the pixel's row and column.
        features = 3 * (levels + 1) + (2 * side - 1) + labels + 2 * side
        self.see = nn.Linear(features, 7 * hidden)
        self.recur = nn.Linear(3 * hidden, 7 * hidden, bias=False)
        self.head = nn.Sequential(nn.Linear(hidden, 96), nn.ReLU(), nn.Linear(96, levels))
        with torch.no_grad():
            self.see.bias[:hidden] += 1.0  # open forget gates: remember by default

    def logits(self, levels: Tensor, label: Tensor) -> Tensor:
        """Logits [n, side, side, levels] of every pixel given its true predecessors.

        `levels` int64 [n, side, side], `label` int64 [n].
        """
        waves, walk, back = wavefronts(self.side)
        # Sorted by wavefront before the product, so that a wavefront is a slice: its gradient costs nothing.
        gates = self.see(self._features(levels, label).flatten(1, 2)[:, walk])
        outside = gates.new_zeros(len(gates), self.side + 1, self.hidden)
        # Cells by picture row, with one row of zeros above the picture; wavefronts t - 2 and t - 1.
        older, old = (outside, outside), (outside, outside)
        hidden: list[Tensor] = []
        for (top, count), wave in zip(waves, torch.split(gates, [count for _, count in waves], 1), strict=True):
            rows, above = slice(top + 1, top + 1 + count), slice(top, top + count)
            near = [torch.stack([b[:, rows], a[:, above], b[:, above]], 2) for a, b in zip(older, old, strict=True)]
            cells = self._advance(wave, near[0], near[1])
            hidden.append(cells[0])
            pad = (0, 0, rows.start, self.side + 1 - rows.stop)
            older, old = old, (functional.pad(cells[0], pad), functional.pad(cells[1], pad))
        return self._bounded(torch.cat(hidden, 1)[:, back]).view(*levels.shape, self.levels)

    def cell(
        self, canvas: Tensor, h: Tensor, c: Tensor, position: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [n, levels] of the pixel at `position`, and the states h, c after it.

        `canvas` int64 [n, side * side], true before `position` (later values are not read); `h`, `c` float32
        [n, side, hidden], zeros at position 0; `position` and `label` int64 [n]. Rows of the batch may be at
        different positions; each must visit its positions in order.
        """
        row, column = torch.div(position, self.side, rounding_mode="floor"), position % self.side
        gates = self.see(self._features_at(canvas, row, column, label))
        slot = column[:, None] + torch.arange(-1, 2, device=column.device)  # left, up, up-right
        inside = ((slot >= 0) & (slot < self.side))[:, :, None]
        index = slot.clamp(0, self.side - 1)[:, :, None].expand(-1, -1, self.hidden)
        near_h, near_c = (torch.where(inside, state.gather(1, index), 0.0) for state in (h, c))
        new_h, new_c = self._advance(gates, near_h, near_c)
        here = (torch.arange(self.side, device=column.device) == column[:, None])[:, :, None]
        return self._bounded(new_h), torch.where(here, new_h[:, None], h), torch.where(here, new_c[:, None], c)

    def initial(self, rows: int) -> tuple[Tensor, Tensor, Tensor]:
        """The state before the first pixel, all zero: canvas int64 [rows, side * side]; h, c [rows, side, hidden]."""
        cells = torch.zeros(rows, self.side, self.hidden)
        return torch.zeros(rows, self.side * self.side, dtype=torch.int64), cells, cells.clone()

    def _advance(self, gates: Tensor, near_h: Tensor, near_c: Tensor) -> tuple[Tensor, Tensor]:
        """h, c [..., hidden] from input gates [..., 7 hidden] and the neighbours' h, c [..., 3, hidden]."""
        total = gates + self.recur(near_h.flatten(-2))
        gate, mix, new = torch.split(total, [3 * self.hidden, 3 * self.hidden, self.hidden], -1)
        forget, write, show = gate.sigmoid().chunk(3, -1)
        memory = (mix.view(near_c.shape).softmax(-2) * near_c).sum(-2)
        c = forget * memory + write * new.tanh()
        return show * c.tanh(), c

    def _bounded(self, h: Tensor) -> Tensor:
        """Logits [..., levels] of cells h [..., hidden], between -10 and 10.

        Impossible levels would otherwise pull their logits down without end, and large numbers carry large
        rounding errors: the two ways of running would drift apart.
        """
        return LOGIT_BOUND * torch.tanh(self.head(h) / LOGIT_BOUND)

    def _features(self, levels: Tensor, label: Tensor) -> Tensor:
        """Input features [n, side, side, features] of all pixels at once."""
        side, outside = self.side, self.levels
        around = functional.pad(levels, (1, 1, 1, 0), value=outside)
        near = torch.stack([around[:, 1:, :side], around[:, :side, 1:-1], around[:, :side, 2:]], -1)
        above = functional.pad(self._grey(levels[:, :-1]), (side - 1, side - 1, 1, 0)).unfold(2, 2 * side - 1, 1)
        place = torch.arange(side, device=levels.device)
        shape = levels.shape
        return self._encode(
            near, above, label[:, None, None].expand(shape), place[:, None].expand(shape), place.expand(shape)
        )

    def _features_at(self, canvas: Tensor, row: Tensor, column: Tensor, label: Tensor) -> Tensor:
        """Input features [n, features] of one pixel per row of the batch."""
        side = self.side
        rows = row[:, None] - torch.tensor([0, 1, 1], device=row.device)
        columns = column[:, None] + torch.tensor([-1, 0, 1], device=row.device)
        near, known = self._look(canvas, rows, columns)
        columns = column[:, None] + torch.arange(1 - side, side, device=row.device)
        above, drawn = self._look(canvas, row[:, None] - 1, columns)
        grey = torch.where(drawn, self._grey(above), 0.0)
        return self._encode(torch.where(known, near, self.levels), grey, label, row, column)

    def _look(self, canvas: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Levels of the canvas at places [n, m], and whether the place is inside."""
        inside = (rows >= 0) & (columns >= 0) & (columns < self.side)
        index = torch.where(inside, rows * self.side + columns, 0)
        return canvas.gather(1, index), inside

    def _grey(self, levels: Tensor) -> Tensor:
        return levels.to(torch.float32) / (self.levels - 1)

    def _encode(self, near: Tensor, above: Tensor, label: Tensor, row: Tensor, column: Tensor) -> Tensor:
        places = [one_hot(row, self.side), one_hot(column, self.side)]
        return torch.cat([one_hot(near, self.levels + 1).flatten(-2), above, one_hot(label, self.labels), *places], -1)


def one_hot(values: Tensor, size: int) -> Tensor:
    """float32 [..., size]; written as a comparison so that it exports without a scatter."""
    return (values[..., None] == torch.arange(size, device=values.device)).to(torch.float32)


@functools.cache
def wavefronts(side: int) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """First picture row and number of pixels of each wavefront; raster places in wavefront order, and the way back."""
    rows = [range(max(0, (t - side + 2) // 2), min(side - 1, t // 2) + 1) for t in range(3 * side - 2)]
    walk = [row * side + t - 2 * row for t, wave in enumerate(rows) for row in wave]
    return [(wave.start, len(wave)) for wave in rows], walk, sorted(range(len(walk)), key=walk.__getitem__)


def quantise(images: Tensor, levels: int = LEVELS) -> Tensor:
    """Levels int64 [n, side, side] of grey values [n, 1, side, side] in 0..1."""
    return (images[:, 0] * (levels - 1)).round().clamp(0, levels - 1).to(torch.int64)


@torch.no_grad()
def sample(model: GlyphsPixelRnn, label: Tensor, temperature: float, uniform: Tensor) -> Tensor:
    """Canvases int64 [n, side * side] drawn pixel by pixel with `uniform` [n, side * side] for labels [n]."""
    canvas, h, c = model.initial(len(label))
    heat = torch.full((len(label),), temperature)
    for place in range(canvas.shape[1]):
        position = torch.full_like(label, place)
        logits, h, c = model.cell(canvas, h, c, position, label)
        canvas = put_level(canvas, position, draw_level(logits, heat, uniform[:, place]))
    return canvas


def build() -> GlyphsPixelRnn:
    """The shipped architecture, with random weights."""
    return GlyphsPixelRnn()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Maximise the exact likelihood of the training pictures."""
    with training.reproducible(recipe.seed):
        model = build()
        data = training.batches(*glyphs("train", recipe.pictures, SIDE), recipe.batch, recipe.steps, recipe.seed)

        def loss(images: Tensor, labels: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": nats_per_pixel(model, quantise(images), labels)}

        return training.fit(model, loss, data, recipe, progress, decay=0.995)


def nats_per_pixel(model: GlyphsPixelRnn, levels: Tensor, label: Tensor) -> Tensor:
    """Mean negative log-likelihood of pictures int64 [n, side, side] under their labels, in nats per pixel."""
    return functional.cross_entropy(model.logits(levels, label).flatten(0, 2), levels.flatten())


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Exact likelihood of held-out pictures, and what the classifier sees in 1,000 samples enlarged to 28x28.

    Its diversity and feature distance are left out: they would compare enlarged pictures with sharp ones.
    """
    assert isinstance(model, GlyphsPixelRnn)
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 2000, SIDE))
    pairs = zip(torch.split(quantise(images), 200), torch.split(labels, 200), strict=True)
    nats = float(torch.stack([nats_per_pixel(model, x, y) for x, y in pairs]).mean())
    enlarged = functional.interpolate(samples(model, 1000), size=(28, 28), mode="bilinear")
    verdict = classifier.verdict(enlarged, classifier.balanced(1000))
    seen = {key: verdict[key] for key in ("sample_accuracy", "class_coverage")}
    return {"nats_per_pixel": nats, "bits_per_dim": nats / math.log(2.0), **seen}


def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures drawn pixel by pixel at temperature 1, labels 0, 1, …, 9, 0, …"""
    assert isinstance(model, GlyphsPixelRnn)
    uniform = torch.rand(rows, model.side * model.side)
    canvas = sample(model, classifier.balanced(rows), 1.0, uniform)
    return (canvas.to(torch.float32) / (model.levels - 1)).view(rows, 1, model.side, model.side)
