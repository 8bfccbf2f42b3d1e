"""tones-vae: a variational autoencoder of half a second of four instruments on 24 notes (Kingma & Welling 2014).

The note and the instrument are given; the latent says the rest: how loud, how bright, how it begins and ends. It does
not say how the pitch wavers: the vibrato that organ and brass have in the data is too little of what there is to
describe, and what is decoded has a steady pitch.

The networks see and tell harmonics (module `harmonics`), with analysis before the encoder and oscillators behind the
decoder, so what is encoded and decoded is sound at 16 kHz (Engel et al. 2020, "DDSP").

The decoder's density is a Laplace one of each harmonic's log-loudness and of the deviation of pitch, with a learned
scale for each harmonic (Rybkin et al. 2021, "Simple and effective VAE training with calibrated decoders"). The prior is
learned, one per instrument: normal noise sent through affine couplings, as in glyphs-vae.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from brood_export.zoo import hearing, tones_classifier, training
from brood_export.zoo.couplings import DenseCoupling, normal_log_density
from brood_export.zoo.harmonics import FRAMES, HARMONICS, QUIET, Harmonics, summed
from brood_export.zoo.tones import CLASSES, NOTES, TIMBRES, tones

LATENT = 16
CONTEXT = NOTES + len(TIMBRES)
CURVES = HARMONICS + 1  # log-loudnesses, and the deviation
RANGE = -math.log(QUIET)  # of log-loudnesses, nepers
PERCENT = 100.0  # deviations are told in hundredths
RECIPE = training.Recipe(
    name="tones-vae",
    seed=85,
    steps=5000,
    batch=64,
    learning_rate=2e-3,
    architecture=(
        "analysis into 24 harmonics and a deviation of pitch in 64 frames; encoder: three strided convolutions over "
        "time (48 channels) and two layers to the mean and log-variance of 16 latent numbers; prior: 6 affine "
        "couplings (48 hidden) for each instrument; decoder: two layers, then three transposed convolutions (64-48-32 "
        "channels) to 64 frames of harmonics; oscillators; SiLU; note and instrument one-hot"
    ),
    data="10,000 sounds of 0.512 s at 16 kHz, seed 0: organ, brass, bell, string on C3 to B4; figures on 1,000 others",
    pictures=10_000,
)


class TonesVae(nn.Module):
    """Encoder and decoder of sound; all randomness stays outside."""

    def __init__(self) -> None:
        super().__init__()
        self.harmonics = Harmonics()
        self.prior = nn.ModuleList(DenseCoupling(order, 48, len(TIMBRES)) for order in prior_orders())
        self.look = nn.Sequential(
            nn.Conv1d(CURVES, 48, 5, 2, 2),
            nn.SiLU(),
            nn.Conv1d(48, 48, 5, 2, 2),
            nn.SiLU(),
            nn.Conv1d(48, 48, 5, 2, 2),
            nn.SiLU(),
            nn.Flatten(),
        )
        self.summarise = nn.Sequential(nn.Linear(48 * 8 + CONTEXT, 128), nn.SiLU(), nn.Linear(128, 2 * LATENT))
        self.expand = nn.Sequential(nn.Linear(LATENT + CONTEXT, 128), nn.SiLU(), nn.Linear(128, 64 * 8), nn.SiLU())
        self.draw = nn.Sequential(
            nn.Unflatten(1, (64, 8)),
            nn.ConvTranspose1d(64, 48, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose1d(48, 48, 4, 2, 1),
            nn.SiLU(),
            nn.ConvTranspose1d(48, 32, 4, 2, 1),
            nn.SiLU(),
            nn.Conv1d(32, CURVES, 5, 1, 2),
        )
        self.log_scale = nn.Parameter(torch.full((CURVES, 1), -1.0))

    def encode(self, audio: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, 16] of the latent's density, of sounds [n, 1, 8192] in -1…1 and labels [n]."""
        return self.described(self.heard(audio, label), label)

    def decode(self, z: Tensor, label: Tensor) -> Tensor:
        """Sound [n, 1, 8192], about -1…1, of the latent [n, 16] and labels [n]."""
        told = self.curves(z, label)
        loudness = (torch.exp((told[:, :-1] - 1.0) * RANGE) - QUIET).clamp(min=0.0)
        sound: Tensor = self.harmonics.synthesise(loudness, told[:, -1] / PERCENT, label // len(TIMBRES))
        return sound

    def from_noise(self, noise: Tensor, label: Tensor) -> Tensor:
        """The latent [n, 16], distributed as the prior of its instrument when the noise [n, 16] is standard normal."""
        for coupling in reversed(self.prior):
            assert isinstance(coupling, DenseCoupling)
            noise = coupling.inverse(noise, label % len(TIMBRES))
        return noise

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """A sample [n, 1, 8192] of standard normal noise [n, 16] and labels [n]."""
        return self.decode(self.from_noise(noise, label), label)

    def heard(self, audio: Tensor, label: Tensor) -> Tensor:
        """Curves [n, 25, 64] of sounds: log-loudness of each harmonic, 0 for silence and 1 for full; the deviation.

        Where there is no sound the deviation is 0.
        """
        loudness, deviation = self.harmonics.analyse(audio, label // len(TIMBRES))
        sounds = summed(loudness) > 10.0 * QUIET
        moved = torch.where(sounds, (PERCENT * deviation).clamp(-3.0, 3.0), 0.0)
        return torch.cat([torch.log(loudness + QUIET) / RANGE + 1.0, moved[:, None]], 1)

    def described(self, curves: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [n, 16] of curves [n, 25, 64]."""
        seen = torch.cat([self.look(curves), context(label)], 1)
        mean, log_variance = self.summarise(seen).chunk(2, 1)
        return mean, log_variance.clamp(-10.0, 4.0)

    def curves(self, z: Tensor, label: Tensor) -> Tensor:
        """Curves [n, 25, 64] of the latent."""
        told: Tensor = self.draw(self.expand(torch.cat([z, context(label)], 1)))
        return told

    def log_prior(self, z: Tensor, label: Tensor) -> Tensor:
        """log p(z | instrument) in nats, [n]."""
        log_density = torch.zeros_like(z[:, 0])
        for coupling in self.prior:
            z, term = coupling(z, label % len(TIMBRES))
            log_density = log_density + term
        return log_density + normal_log_density(z)


def context(label: Tensor) -> Tensor:
    """Note and instrument one-hot [n, 28] of labels [n]."""
    note, timbre = label // len(TIMBRES), label % len(TIMBRES)
    return torch.cat([functional.one_hot(note, NOTES), functional.one_hot(timbre, len(TIMBRES))], 1).to(torch.float32)


def prior_orders() -> list[Tensor]:
    """The prior's masks: even and odd numbers, first and second halves, even and odd again."""
    place = torch.arange(LATENT)
    halves = [place % 2, 1 - place % 2, place * 2 // LATENT, 1 - place * 2 // LATENT, place % 2, 1 - place % 2]
    return [torch.argsort(side, stable=True) for side in halves]


def build() -> TonesVae:
    """The architecture with random weights."""
    return TonesVae()


def bound(model: TonesVae, curves: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """One-sample estimates of E_q log p(curves | z) and KL(q || prior) in nats, [n] each; ELBO = first - second."""
    mean, log_variance = model.described(curves, label)
    noise = torch.randn_like(mean)
    z = mean + torch.exp(0.5 * log_variance) * noise
    log_scale = model.log_scale.clamp(min=-4.5)
    fit = -(curves - model.curves(z, label)).abs() * torch.exp(-log_scale) - log_scale - math.log(2.0)
    log_posterior = normal_log_density(noise) - 0.5 * log_variance.sum(1)
    return fit.sum((1, 2)), log_posterior - model.log_prior(z, label)


@torch.no_grad()
def heard(model: TonesVae, sounds: Tensor, labels: Tensor) -> Tensor:
    """Curves of many sounds, a part at a time."""
    parts = zip(torch.split(sounds, 250), torch.split(labels, 250), strict=True)
    return torch.cat([model.heard(sound, label) for sound, label in parts])


def train(recipe: training.Recipe, progress: training.Progress) -> training.Trained:
    """Maximise the evidence lower bound of the curves; the divergence's weight rises to 1 over a tenth of the steps."""
    sounds, labels = (torch.from_numpy(part) for part in tones("train", recipe.pictures))
    with training.reproducible(recipe.seed), training.without_denormals():
        model = build()
        curves = heard(model, sounds, labels)

        def loss(x: Tensor, y: Tensor, step: int) -> dict[str, Tensor]:
            fit, spent = (part.mean() for part in bound(model, x, y))
            weight = min(1.0, step / (0.1 * recipe.steps))
            return {"loss": (weight * spent - fit) / (CURVES * FRAMES), "elbo_nats": fit - spent, "kl_nats": spent}

        data = training.batches(curves.numpy(), labels.numpy(), recipe.batch, recipe.steps, recipe.seed)
        return training.fit(model, loss, data, recipe, progress)


@torch.no_grad()
def evaluate(model: nn.Module) -> training.Figures:
    """ELBO and spectral error of held-out sounds decoded again; pitch and timbre of samples, and of the data itself."""
    assert isinstance(model, TonesVae)
    sounds, labels = (torch.from_numpy(part) for part in tones("heldout", 1000))
    fit, spent = bound(model, heard(model, sounds, labels), labels)
    few, said = sounds[:200], labels[:200]
    again = model.decode(model.encode(few, said)[0], said)
    made, wanted = samples(model, 5 * CLASSES), torch.arange(5 * CLASSES) % CLASSES
    return {
        "elbo_nats": float((fit - spent).mean()),
        "kl_nats": float(spent.mean()),
        "log_spectral_distance_db": float(hearing.log_spectral_distance(again[:, 0].numpy(), few[:, 0].numpy()).mean()),
        **tones_classifier.verdict(made, wanted),
        **{f"{key}_of_data": value for key, value in tones_classifier.verdict(sounds, labels).items()},
        "diversity": spread(made, wanted) / spread(sounds, labels),
        "peak": float(made.abs().max()),
    }


def spread(sounds: Tensor, labels: Tensor) -> float:
    """Root mean square distance in dB between the levels of two sounds [n, 1, samples] of one instrument."""
    seen, timbre = tones_classifier.levels(sounds, labels) * 30.0, labels % len(TIMBRES)
    variances = [seen[timbre == k].var(0).mean() for k in range(len(TIMBRES))]
    return float((2.0 * torch.stack(variances).mean()).sqrt())


@torch.no_grad()
def samples(model: nn.Module, rows: int) -> Tensor:
    """Decoded standard normal noise [rows, 1, 8192], labels 0, 1, …, 95, 0, …"""
    assert isinstance(model, TonesVae)
    labels = torch.split(torch.arange(rows) % CLASSES, 96)
    return torch.cat([model(torch.randn(len(label), LATENT), label) for label in labels])
