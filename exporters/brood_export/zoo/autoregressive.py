"""glyphs-ar: a class-conditional causal transformer over the 196 pixels of 14x14 pictures in 8 grey levels.

p(x) = prod_i p(x_i | x_<i, label) in reading order, each pixel a token (Vaswani et al. 2017; Chen et al. 2020,
"Generative pretraining from pixels"). Attention has a learned bias for every distance (Raffel et al. 2020, without
their buckets), because what matters for a pixel lies at few distances: the one before it and the row above. Some heads
begin with a bias for those.

The same weights run in two ways. `forward` (training, likelihood) tells the logits of all tokens at once. `step`
(sampling) tells those of one token per row of the batch, each row at its own position: keys and values of the tokens
before are given, and those of the new token are returned.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.families.pixelrnn import draw_level
from brood_export.families.tokens import shifted
from brood_export.zoo import classifier, training
from brood_export.zoo.glyphs import CLASSES, glyphs
from brood_export.zoo.pixelrnn import quantise

SIDE = 14
LENGTH = SIDE * SIDE
LEVELS = 8
START = 0  # read in front of the first pixel: the ground
WIDTH, LAYERS, HEADS = 64, 3, 4
HEAD = WIDTH // HEADS
CACHE = (LAYERS, HEADS, LENGTH, HEAD)  # of keys and of values of one row
NEAR = (
    SIDE - 1,
    SIDE - 2,
    SIDE,
    0,
)  # distance at which each head begins to look: above, right of it, left of it; before
RECIPE = training.Recipe(
    name="glyphs-ar",
    seed=82,
    steps=2600,
    batch=16,
    learning_rate=3e-3,
    architecture=(
        "causal transformer, 3 layers of 4 heads and 64 numbers with a bias for each distance, over the 196 pixels of "
        "14x14 pictures in 8 grey levels; the label, row and column are added to each token"
    ),
    data="30,000 pictures of the train split at 14x14, seed 0, in 8 grey levels; figures on 2,000 held-out pictures",
    pictures=30_000,
)


class Layer(nn.Module):
    """Attention to the tokens so far and a perceptron, each on a normalised input and around a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(WIDTH)
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.join = nn.Linear(WIDTH, WIDTH)
        self.think = nn.Sequential(
            nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(approximate="tanh"), nn.Linear(4 * WIDTH, WIDTH)
        )
        bias = torch.zeros(HEADS, LENGTH)
        bias[torch.arange(HEADS), torch.tensor(NEAR)] = 5.0
        self.bias = nn.Parameter(bias)  # of attention to the token so many places before

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [n, heads, places, width of a head] of x [n, places, width]."""
        parts = self.project(self.before(x)).unflatten(2, (3, HEADS, HEAD)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)
        return query, key, value

    def attended(self, x: Tensor, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """x [n, places, width] after the layer; bias [n or 1, heads, places, tokens] is -inf where nothing is seen."""
        scores = query @ keys.transpose(-1, -2) / math.sqrt(HEAD) + bias
        seen = (scores.softmax(-1) @ values).transpose(1, 2).flatten(2)
        x = x + self.join(seen)
        y: Tensor = x + self.think(x)
        return y

    def biases(self, distance: Tensor) -> Tensor:
        """[..., heads, places, tokens] for distances [..., places, tokens]; -inf for tokens that are yet to come."""
        found = self.bias[:, distance.clamp(min=0)].movedim(0, -3)
        return torch.where((distance < 0).unsqueeze(-3), -torch.inf, found)


class GlyphsAr(nn.Module):
    """p(level | levels before, label) for every pixel in reading order."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Embedding(LEVELS, WIDTH)
        self.label = nn.Embedding(CLASSES, WIDTH)
        self.row = nn.Embedding(SIDE, WIDTH)
        self.column = nn.Embedding(SIDE, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.head = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, LEVELS))
        for table in (self.level, self.label, self.row, self.column):
            nn.init.normal_(table.weight, 0.0, 0.3)

    def read(self, token: Tensor, position: Tensor, label: Tensor) -> Tensor:
        """[..., width] of the token before a position, the position, and the label, all int64 [...]."""
        row, column = torch.div(position, SIDE, rounding_mode="floor"), position % SIDE
        x: Tensor = self.level(token) + self.row(row) + self.column(column) + self.label(label)
        return x

    def forward(self, tokens: Tensor, label: Tensor) -> Tensor:
        """Logits [n, places, levels] of what follows each of the tokens int64 [n, places]; label int64 [n]."""
        place = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.read(tokens, place.expand_as(tokens), label[:, None].expand_as(tokens))
        distance = place[:, None] - place
        for layer in self.layers:
            assert isinstance(layer, Layer)
            query, key, value = layer.split(x)
            x = layer.attended(x, query, key, value, layer.biases(distance)[None])
        logits: Tensor = self.head(x)
        return logits

    def step(
        self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits [n, levels] of the pixel at `position` [n], which `token` [n] comes before; its key and value.

        `keys` and `values` float32 [n, layers, heads, length, width of a head] are true before the position; what is
        behind it is not read. The new ones are [n, layers, heads, 1, width of a head].
        """
        x = self.read(token, position, label)[:, None]
        place = torch.arange(LENGTH, device=position.device)
        # What is kept, of which the position's own place is not yet filled; then the new token itself.
        away = position[:, None] - place
        distance = torch.cat([torch.where(away > 0, away, -1), torch.zeros_like(position)[:, None]], 1)[:, None]
        made = []
        for k, layer in enumerate(self.layers):
            assert isinstance(layer, Layer)
            query, key, value = layer.split(x)
            all_keys, all_values = torch.cat([keys[:, k], key], 2), torch.cat([values[:, k], value], 2)
            x = layer.attended(x, query, all_keys, all_values, layer.biases(distance))
            made.append((key, value))
        new_keys, new_values = (torch.stack(parts, 1) for parts in zip(*made, strict=True))
        return self.head(x)[:, 0], new_keys, new_values


def build() -> GlyphsAr:
    """The architecture with random weights."""
    return GlyphsAr()


def nats_per_pixel(model: nn.Module, levels: Tensor, label: Tensor) -> Tensor:
    """Mean negative log-likelihood of pictures int64 [n, side, side] under their labels, in nats per pixel."""
    tokens = levels.flatten(1)
    return functional.cross_entropy(model(shifted(tokens, START), label).flatten(0, 1), tokens.flatten())


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Maximise the exact likelihood of the training pictures."""
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()
        data = training.batches(*glyphs("train", recipe.pictures, SIDE), recipe.batch, recipe.steps, recipe.seed)

        def loss(images: Tensor, labels: Tensor, step: int) -> dict[str, Tensor]:
            return {"loss": nats_per_pixel(model, quantise(images, LEVELS), labels)}

        return training.fit(model, loss, data, recipe, progress, decay=0.995)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Exact likelihood of held-out pictures, and what the classifier sees in 500 samples enlarged to 28x28.

    Its diversity and feature distance are against held-out pictures that went the same way: reduced to 14x14 and 8
    levels, then enlarged.
    """
    images, labels = (torch.from_numpy(part) for part in glyphs("heldout", 2000, SIDE))
    pairs = zip(torch.split(quantise(images, LEVELS), 200), torch.split(labels, 200), strict=True)
    nats = float(torch.stack([nats_per_pixel(model, x, y) for x, y in pairs]).mean())
    drawn, wanted, judge = enlarged(samples(model, 500)), classifier.balanced(500), classifier.trained()
    real = enlarged(quantise(images, LEVELS)[:, None].float() / (LEVELS - 1))
    seen = classifier.verdict(drawn, wanted)
    return {
        "nats_per_pixel": nats,
        "bits_per_dim": nats / math.log(2.0),
        "sample_accuracy": seen["sample_accuracy"],
        "class_coverage": seen["class_coverage"],
        "diversity": classifier.spread(drawn, wanted) / classifier.spread(real, labels),
        "feature_frechet_distance": classifier.frechet(judge.features(drawn), judge.features(real)),
    }


def enlarged(images: Tensor) -> Tensor:
    """Pictures [n, 1, 28, 28] of smaller ones."""
    return functional.interpolate(images, size=(28, 28), mode="bilinear")


def samples(model: nn.Module, rows: int) -> Tensor:
    """Pictures drawn pixel by pixel at temperature 1, labels 0, 1, …, 9, 0, …"""
    levels = sample(model, classifier.balanced(rows), torch.rand(rows, LENGTH))
    return (levels.to(torch.float32) / (LEVELS - 1)).view(rows, 1, SIDE, SIDE)


@torch.no_grad()
def sample(model: nn.Module, label: Tensor, uniform: Tensor) -> Tensor:
    """Levels int64 [n, 196] drawn one after another with `uniform` [n, 196] for labels [n]."""
    assert isinstance(model, GlyphsAr)
    rows, heat = len(label), torch.ones(len(label))
    keys, values = torch.zeros(2, rows, *CACHE)
    token, drawn = torch.full_like(label, START), []
    for k in range(LENGTH):
        logits, keys[..., k : k + 1, :], values[..., k : k + 1, :] = model.step(
            token, torch.full_like(label, k), keys, values, label
        )
        token = draw_level(logits, heat, uniform[:, k])
        drawn.append(token)
    return torch.stack(drawn, 1)
