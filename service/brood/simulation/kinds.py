"""What simulated requests ask for, and how that is said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from brood.loadgen.mix import Shared, read_parts
from brood.protocol.requests import Priority

STEPS_LIMIT = 100_000
GRAPHS = r"[^,*\s]+\*?(,[^,*\s]+\*?)*"


@dataclass(frozen=True, slots=True)
class Kind:
    """Requests that are alike to the scheduler."""

    steps: int = 1  # of each sample
    n: int = 1  # samples
    priority: Priority = "interactive"
    tenant: str = ""
    deadline_s: float | None = None  # from arrival
    graphs: str = ""  # called one after another, as in "encode,step*,decode": * in every step, the others once

    @property
    def label(self) -> str:
        """What a table calls them."""
        words = [f"{self.steps} steps", f"n={self.n}" if self.n > 1 else "", self.graphs, self.tenant]
        words += ["bulk" if self.priority == "bulk" else ""]
        words += ["" if self.deadline_s is None else f"in {1e3 * self.deadline_s:g} ms"]
        return " ".join(filter(None, words))


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a mix of requests."""

    share: float  # of all requests, 0 … 1
    kind: Kind
    variants: int = 1  # equally frequent settings of the other parameters (labels, samplers, …)


class Words(BaseModel):
    """One request, or a kind of them, as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    steps: int = Field(default=1, ge=1, le=STEPS_LIMIT)
    n: int = Field(default=1, ge=1, le=STEPS_LIMIT)
    priority: Priority = "interactive"
    tenant: str = ""
    deadline_ms: float | None = Field(default=None, gt=0)
    graphs: Annotated[str, Field(pattern=f"^({GRAPHS})?$")] = ""

    def kind(self) -> Kind:
        """What is meant."""
        deadline_s = None if self.deadline_ms is None else 1e-3 * self.deadline_ms
        return Kind(self.steps, self.n, self.priority, self.tenant, deadline_s, self.graphs)


class PartWords(Shared, Words):
    """A part of a mix, as it is written."""

    variants: int = Field(default=1, ge=1)


def read_mix(texts: Sequence[str]) -> tuple[Part, ...]:
    """A mix from texts such as ``50% steps=4`` and ``50% steps=50 n=4 priority=bulk variants=100``.

    Raises:
        InvalidArgument: a text is not of this form, or the shares do not make 100 %.
    """
    return tuple(Part(words.share / 100, words.kind(), words.variants) for words in read_parts(texts, PartWords))
