"""glyphs-classifier: the small convolutional classifier that scores the samples of the conditional generators.

It is trained on its own split with its own seed, so it shares neither a picture nor a random number with them. Its
verdicts: accuracy (is the digit that was asked for the one that is seen), coverage of the ten classes, diversity
inside each class, and a Fréchet distance in the space of its features.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import training
from brood_export.zoo.glyphs import CLASSES, glyphs

FEATURES = 64
RECIPE = training.Recipe(
    name="glyphs-classifier",
    seed=71,
    steps=1200,
    batch=128,
    learning_rate=2e-3,
    architecture="three strided 3x3 convolutions (1-24-48-64 channels), a layer of 64 features, ten logits",
    data="20,000 pictures of the classifier split, seed 71; figures on 5,000 held-out pictures, seed 0",
    pictures=20_000,
)


class GlyphsClassifier(nn.Module):
    """Logits [n, 10] of pictures [n, 1, 28, 28] in 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 24, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(24, 48, 3, 2, 1),
            nn.SiLU(),
            nn.Conv2d(48, 64, 3, 2, 1),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(64 * 16, FEATURES),
            nn.SiLU(),
        )
        self.head = nn.Linear(FEATURES, CLASSES)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(image))
        return logits


def build() -> GlyphsClassifier:
    """The architecture with random weights."""
    return GlyphsClassifier()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Minimise the cross-entropy, with the pictures' noise doubled: generators make other errors than the data."""
    images, labels = glyphs("classifier", recipe.pictures, seed=recipe.seed)
    with training.reproducible(recipe.seed):
        model = build()

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            logits = model((x + 0.05 * torch.randn_like(x)).clamp(0.0, 1.0))
            right = (logits.argmax(1) == y).float().mean()
            return {"loss": functional.cross_entropy(logits, y), "accuracy": right}

        data = training.batches(images, labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress, weight_decay=0.01)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Accuracy on held-out pictures."""
    images, labels = glyphs("heldout", 5000)
    right = model(torch.from_numpy(images)).argmax(1) == torch.from_numpy(labels)
    return {"accuracy": float(right.float().mean())}


def samples(model: nn.Module, rows: int) -> Tensor:
    """Held-out pictures: a classifier makes none."""
    return torch.from_numpy(glyphs("heldout", rows)[0])


def balanced(rows: int) -> Tensor:
    """Labels int64 [rows]: 0, 1, …, 9, 0, 1, …"""
    return torch.arange(rows) % CLASSES


@functools.cache
def trained() -> GlyphsClassifier:
    """The shipped classifier."""
    model = training.load(RECIPE.name)
    assert isinstance(model, GlyphsClassifier)
    return model


@torch.no_grad()
def verdict(images: Tensor, labels: Tensor, judge: GlyphsClassifier | None = None) -> training.Figures:
    """What the classifier says of samples [n, 1, 28, 28] that were asked for as `labels` [n].

    sample_accuracy: share of samples seen as their label. class_coverage: share of the ten classes of which more
    than half the samples are seen as asked. diversity: root mean square distance between samples of one class,
    divided by the data's (1 is as diverse as the data, 0 is one picture per class). feature_frechet_distance:
    between Gaussians fitted to the features of samples and of held-out data (Heusel et al. 2017, with this
    classifier for Inception).
    """
    judge = judge or trained()
    real, real_labels = (torch.from_numpy(part) for part in glyphs("heldout", 5000))
    right = (judge(images).argmax(1) == labels).float()
    per_class = torch.stack([right[labels == c].mean() for c in range(CLASSES)])
    return {
        "sample_accuracy": float(right.mean()),
        "class_coverage": float((per_class > 0.5).float().mean()),
        "diversity": spread(images, labels) / spread(real, real_labels),
        "feature_frechet_distance": frechet(judge.features(images), judge.features(real)),
    }


def spread(images: Tensor, labels: Tensor) -> float:
    """Root mean square distance between two pictures of one class, from the variance: E|x - y|^2 = 2 Var."""
    variances = [images[labels == c].flatten(1).var(0).sum() for c in range(CLASSES)]
    return float((2.0 * torch.stack(variances).mean()).sqrt())


def frechet(a: Tensor, b: Tensor) -> float:
    """|m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2)) of the means and covariances of features [n, d] and [m, d]."""
    (mean_a, cov_a), (mean_b, cov_b) = (_moments(x.double().numpy()) for x in (a, b))
    root = _root(cov_a)
    cross = np.trace(_root(root @ cov_b @ root))
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2.0 * cross)


def _moments(features: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return features.mean(0), np.cov(features, rowvar=False)


def _root(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values, vectors = np.linalg.eigh(matrix)
    root: npt.NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return root
