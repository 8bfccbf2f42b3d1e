"""tones-classifier: which instrument plays, from its partials and how they change; it judges generated sounds.

It sees the levels of 16 partials of the note that was asked for, from a Fourier transform, in the early, middle and
late part of a sound, and nothing of the generators. It is trained on its own split, so it shares no sound with them.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import hearing, training
from brood_export.zoo.tones import RATE, TIMBRES, frequency, tones

PARTIALS, PARTS = 16, 3
RECIPE = training.Recipe(
    name="tones-classifier",
    seed=84,
    steps=800,
    batch=64,
    learning_rate=3e-3,
    architecture="levels of 16 partials in three parts of the sound, a layer of 32 features, four logits",
    data="3,000 sounds of the classifier split; figures on 1,000 held-out sounds",
    pictures=3000,
)


class TonesClassifier(nn.Module):
    """Logits [n, 4] of levels [n, 48], as `levels` makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(PARTIALS * PARTS, 32), nn.SiLU())
        self.head = nn.Linear(32, len(TIMBRES))

    def forward(self, seen: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(seen))
        return logits


def levels(sounds: Tensor, labels: Tensor) -> Tensor:
    """Of 16 partials early, in the middle and late [n, 48], for sounds [n, 1, samples] of labels [n].

    In units of 30 dB from the highest of the sound's, which is 1, down to -1.
    """
    hertz = frequency(labels.numpy() // len(TIMBRES))
    parts = np.array_split(hearing.partials(sounds[:, 0].numpy(), RATE, hertz, PARTIALS), PARTS, 1)
    found = np.concatenate([part.mean(1) for part in parts], 1)
    relative = np.maximum(found / found.max(1, keepdims=True), hearing.QUIET)
    return torch.from_numpy((20.0 * np.log10(relative) / 30.0 + 1.0).astype(np.float32))


def build() -> TonesClassifier:
    """The architecture with random weights."""
    return TonesClassifier()


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Minimise the cross-entropy, with noise on the levels: generators make other errors than the instruments."""
    sounds, labels = tones("classifier", recipe.pictures)
    with training.reproducible(recipe.seed):
        model, seen = build(), levels(torch.from_numpy(sounds), torch.from_numpy(labels))

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            logits, timbre = model(x + 0.1 * torch.randn_like(x)), y % len(TIMBRES)
            right = (logits.argmax(1) == timbre).float().mean()
            return {"loss": functional.cross_entropy(logits, timbre), "accuracy": right}

        data = training.batches(seen.numpy(), labels, recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress, weight_decay=0.01)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """Accuracy on held-out sounds."""
    sounds, labels = (torch.from_numpy(part) for part in tones("heldout", 1000))
    right = model(levels(sounds, labels)).argmax(1) == labels % len(TIMBRES)
    return {"accuracy": float(right.float().mean())}


def samples(model: nn.Module, rows: int) -> Tensor:
    """Held-out sounds: a classifier makes none."""
    return torch.from_numpy(tones("heldout", rows)[0])


@functools.cache
def trained() -> TonesClassifier:
    """The shipped classifier."""
    model = training.load(RECIPE.name)
    assert isinstance(model, TonesClassifier)
    return model


@torch.no_grad()
def verdict(sounds: Tensor, labels: Tensor) -> training.Figures:
    """What is heard in sounds [n, 1, 8192] that were asked for as `labels` [n].

    pitch_accuracy: share within half a semitone of the note, by autocorrelation. pitch_error_cents: its median.
    timbre_accuracy: share taken for the instrument by the classifier.
    """
    note, timbre = labels // len(TIMBRES), labels % len(TIMBRES)
    wrong = np.abs(hearing.cents(hearing.pitch(sounds[:, 0].numpy(), RATE), frequency(note.numpy())))
    heard = trained()(levels(sounds, labels)).argmax(1)
    return {
        "pitch_accuracy": float((wrong < 50.0).mean()),
        "pitch_error_cents": float(np.median(wrong)),
        "timbre_accuracy": float((heard == timbre).float().mean()),
    }
