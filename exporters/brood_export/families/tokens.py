"""What one step of an autoregressive model does: the token at the row's position, drawn from what the model tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from brood.protocol.manifest import DType
from brood_export.families.base import any_label, finite
from brood_export.families.pixelrnn import distribution, draw_level, put_level

NO_END = -1


class Cached(Protocol):
    """What the adapter calls of a model that keeps keys and values."""

    def step(
        self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]: ...


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a sample is."""

    length: int
    vocabulary: int
    start: int  # in front of the first one
    end: int  # after which there is nothing more, or NO_END
    image: tuple[int, ...]  # shape of the picture whose grey levels they are; empty: they are none
    cache: tuple[int, ...]  # shape of keys and of values of one row; empty: there are none
    classes: int

    @property
    def ends(self) -> bool:
        return self.end != NO_END

    @property
    def output(self) -> str:
        return "image" if self.image else "tokens"

    @property
    def shape(self) -> tuple[int, ...]:
        return self.image or (self.length,)

    @property
    def dtype(self) -> DType:
        return "uint8" if self.image else "int64"


class Sequence(nn.Module):
    """Base of the steps: what is drawn at a position, and what it is drawn from."""

    def __init__(self, model: nn.Module, words: Tokens) -> None:
        super().__init__()
        self.model, self.classes = model, words.classes
        self.start, self.end, self.shape = words.start, words.end, words.shape
        self.kind = torch.uint8 if words.image else torch.int64

    def laid(self, tokens: Tensor) -> Tensor:
        """Tokens [rows, length] as the state has them."""
        return tokens.reshape(-1, *self.shape).to(self.kind)

    def before(self, tokens: Tensor, position: Tensor) -> Tensor:
        """The token before the position [rows]; in front of the first one it is the start token."""
        found = tokens.gather(1, (position - 1).clamp(min=0)[:, None])[:, 0]
        return torch.where(position == 0, self.start, found)

    def drawn(
        self, tokens: Tensor, position: Tensor, logits: Tensor, uniform: Tensor, temperature: Tensor, given: Tensor
    ) -> Tensor:
        """The tokens with that at the position: kept where it is given, else drawn."""
        fresh = draw_level(logits, temperature, uniform)
        kept = tokens.gather(1, position[:, None])[:, 0]
        return put_level(tokens, position, torch.where(position < given, kept, fresh))

    def ended(self, tokens: Tensor, position: Tensor, given: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The tokens with the end in all places behind it, and [rows] each: whether it is there, and their number.

        Of what is given all is kept: an end token counts from the last given one on. Without an end token there is
        nothing to tell.
        """
        if self.end == NO_END:
            return tokens, ()
        here = tokens.gather(1, position[:, None])[:, 0]
        done = (here == self.end) & (position + 1 >= given)
        behind = torch.arange(tokens.shape[1], device=tokens.device)[None] > position[:, None]
        return torch.where(behind & done[:, None], self.end, tokens), (done, position + 1)

    def edge(self, logits: Tensor, uniform: Tensor, temperature: Tensor) -> Tensor:
        """[rows]: distance of the uniform number from the nearest edge between two tokens."""
        return (distribution(logits, temperature)[:, :-1] - uniform[:, None]).abs().amin(1)


class CachedStep(Sequence):
    """One token; keys and values of those before are given, and the new ones are told."""

    def forward(
        self,
        tokens: Tensor,
        keys: Tensor,
        values: Tensor,
        position: Tensor,
        token_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        given: Tensor,
    ) -> tuple[Tensor, ...]:
        label, tokens = any_label(label, label_noise, self.classes), flat(tokens)
        logits, key, value = self.told(tokens, keys, values, position, label)
        made = self.drawn(tokens, position, logits, token_noise, temperature, given)
        made, end = self.ended(made, position, given)
        return self.laid(made), key, value, label, finite(logits), *end

    def told(
        self, tokens: Tensor, keys: Tensor, values: Tensor, position: Tensor, label: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        return cast(Cached, self.model).step(self.before(tokens, position), position, keys, values, label)

    def margin(
        self,
        tokens: Tensor,
        keys: Tensor,
        values: Tensor,
        position: Tensor,
        token_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        given: Tensor,
    ) -> Tensor:
        """[rows]: how far the draw is from turning."""
        label = any_label(label, label_noise, self.classes)
        logits, _, _ = self.told(flat(tokens), keys, values, position, label)
        return torch.where(position < given, 1.0, self.edge(logits, token_noise, temperature))


class WholeStep(Sequence):
    """One token, from the logits of the whole sequence."""

    def forward(
        self,
        tokens: Tensor,
        position: Tensor,
        token_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        given: Tensor,
    ) -> tuple[Tensor, ...]:
        label, tokens = any_label(label, label_noise, self.classes), flat(tokens)
        logits = self.told(tokens, position, label)
        made = self.drawn(tokens, position, logits, token_noise, temperature, given)
        made, end = self.ended(made, position, given)
        return self.laid(made), label, finite(logits), *end

    def told(self, tokens: Tensor, position: Tensor, label: Tensor) -> Tensor:
        logits = self.model(shifted(tokens, self.start), label)
        place = position[:, None, None].expand(-1, 1, logits.shape[2])
        found: Tensor = logits.gather(1, place)[:, 0]
        return found

    def margin(
        self,
        tokens: Tensor,
        position: Tensor,
        token_noise: Tensor,
        label_noise: Tensor,
        label: Tensor,
        temperature: Tensor,
        given: Tensor,
    ) -> Tensor:
        """[rows]: how far the draw is from turning."""
        logits = self.told(flat(tokens), position, any_label(label, label_noise, self.classes))
        return torch.where(position < given, 1.0, self.edge(logits, token_noise, temperature))


class Score(Sequence):
    """Log-likelihood of tokens, up to the end token: Σ log p(token | those before)."""

    def forward(self, tokens: Tensor, label: Tensor) -> tuple[Tensor, ...]:
        tokens = flat(tokens)
        logits = self.model(shifted(tokens, self.start), label)
        each = torch.log_softmax(logits, -1).gather(2, tokens[:, :, None])[:, :, 0]
        counted = torch.ones_like(each)
        if self.end != NO_END:
            over = (shifted(tokens, self.start)[:, 1:] == self.end).to(each.dtype).cumsum(1) > 0
            counted = torch.cat([counted[:, :1], 1.0 - over.to(each.dtype)], 1)
        nats = (each * counted).sum(1)
        return nats, nats / (-counted.sum(1) * math.log(2.0)), finite(logits)


def flat(tokens: Tensor) -> Tensor:
    """Tokens [rows, length] int64 of a state."""
    return tokens.flatten(1).to(torch.int64)


def shifted(tokens: Tensor, start: int) -> Tensor:
    """What the model reads to tell the tokens: the start token, then all but the last."""
    return torch.cat([torch.full_like(tokens[:, :1], start), tokens[:, :-1]], 1)
