"""Small models of tokens, as people have them."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Causal(nn.Module):
    """A transformer of two blocks with one head, without normalisation; with and without a cache."""

    def __init__(self, vocabulary: int = 5, length: int = 6, width: int = 8) -> None:
        super().__init__()
        self.length, self.width = length, width
        self.token, self.place = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.asks = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
        self.tell = nn.Linear(width, vocabulary)

    def forward(self, tokens: Tensor) -> Tensor:
        h = self.token(tokens) + self.place.weight[: tokens.shape[1]]
        mask = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).tril()
        for ask in self.asks:
            q, k, v = ask(h).chunk(3, -1)
            weight = (q @ k.transpose(1, 2) / self.width**0.5).masked_fill(~mask, -torch.inf)
            h = h + torch.softmax(weight, -1) @ v
        logits: Tensor = self.tell(h)
        return logits

    def step(self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """keys and values [rows, 2, length, width]."""
        h = self.token(token) + self.place(position)
        places = torch.arange(self.length)
        here, before = places == position[:, None], places < position[:, None]
        told = []
        for number, ask in enumerate(self.asks):
            q, k, v = ask(h).chunk(3, -1)
            told.append((k, v))
            every_k = torch.where(here[:, :, None], k[:, None], keys[:, number])
            every_v = torch.where(here[:, :, None], v[:, None], values[:, number])
            weight = (q[:, None] @ every_k.transpose(1, 2) / self.width**0.5)[:, 0]
            weight = torch.softmax(weight.masked_fill(~(here | before), -torch.inf), -1)
            h = h + (weight[:, None] @ every_v)[:, 0]
        key, value = (torch.stack([pair[n] for pair in told], 1)[:, :, None] for n in (0, 1))
        logits: Tensor = self.tell(h)
        return logits, key, value


class Forgetful(Causal):
    """Its step takes the position for another."""

    def step(self, token: Tensor, position: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found: tuple[Tensor, Tensor, Tensor] = super().step(token, (position - 1).clamp(min=0), keys, values)
        return found


class Peeking(Causal):
    """Sees later tokens."""

    def forward(self, tokens: Tensor) -> Tensor:
        seen: Tensor = self.token(tokens).sum((1, 2))
        return super().forward(tokens) + seen[:, None, None]
