"""What can be asked for: which operation of a model each address means, and which models have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from brood.dataplane.find import manifest_of
from brood.dataplane.naming import listed
from brood.dataplane.plane import DataPlane
from brood.frontends.http.openai.words import ImageWords, PromptedWords
from brood.media.pixels import CHANNELS
from brood.protocol.errors import InvalidArgument
from brood.protocol.manifest import Manifest, Operation
from brood.protocol.models import ModelStatus

IMAGE, MASK, PROMPT = "image", "mask", "prompt"  # inputs, as all models call them that have them


@dataclass(frozen=True, slots=True)
class Verb:
    """One address."""

    name: Literal["generations", "edits", "variations"]  # the address's last part
    operation: str  # of the model
    words: type[ImageWords]
    uploads: bool  # takes a picture, in a form
    event: str = ""  # what the names of its events begin with; empty: it does not stream


GENERATIONS = Verb("generations", "generate", PromptedWords, False, "image_generation")
EDITS = Verb("edits", "complete", PromptedWords, True, "image_edit")
VARIATIONS = Verb("variations", "vary", ImageWords, True)
VERBS = (GENERATIONS, EDITS, VARIATIONS)


@dataclass(frozen=True, slots=True)
class Painter:
    """A model that can do it."""

    verb: Verb
    manifest: Manifest
    operation: Operation
    output: str  # the picture's name
    height: int
    width: int

    @property
    def size(self) -> str:
        """As callers write it."""
        return f"{self.width}x{self.height}"


def find_painter(plane: DataPlane, verb: Verb, model: str | None, version: int | None) -> Painter:
    """The model that is asked for, or the only one that can do it.

    Raises:
        ModelNotFound, ModelUnavailable, NotReady: there is no such model, or it is not ready.
        InvalidArgument: it cannot do it; the message lists those that can.
    """
    if model is None:
        names = _able(plane.models(), verb)
        if len(names) != 1:
            text = f"model: missing; these can do {verb.operation}: {listed(names)}"
            raise InvalidArgument(text, field="model")
        model = names[0]
    painter = _painter(manifest_of(plane.model(model, version)), verb)
    if painter is None:
        text = f"model: {model} makes no pictures by {verb.operation}; these do: {listed(_able(plane.models(), verb))}"
        raise InvalidArgument(text, field="model")
    return painter


def _able(statuses: Sequence[ModelStatus], verb: Verb) -> list[str]:
    manifests = [status.manifest for status in statuses if status.state == "ready" and status.manifest is not None]
    return sorted({manifest.name for manifest in manifests if _painter(manifest, verb) is not None})


def _painter(manifest: Manifest, verb: Verb) -> Painter | None:
    """None: it makes no picture, or takes what OpenAI's clients cannot send."""
    operation = manifest.operations.get(verb.operation)
    if operation is None or manifest.sample is None or not _takes(operation, verb):
        return None
    for name, output in operation.outputs.items():
        if output.kind == "image" and len(output.shape) == 3 and output.shape[0] in CHANNELS:
            return Painter(verb, manifest, operation, name, *output.shape[1:])
    return None


def _takes(operation: Operation, verb: Verb) -> bool:
    given = {name for name, declared in operation.inputs.items() if declared.kind == "image"}
    wanted = {IMAGE} if verb.uploads else set[str]()
    said = {PROMPT} if issubclass(verb.words, PromptedWords) else set[str]()
    needed = {name for name in texts_of(operation) if operation.inputs[name].default is None}
    return set(operation.inputs) == given | texts_of(operation) and given - {MASK} == wanted and needed <= said


def texts_of(operation: Operation) -> set[str]:
    """The inputs that are texts."""
    return {name for name, declared in operation.inputs.items() if declared.kind == "text"}
