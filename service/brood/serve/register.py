"""What the directory knows: which workers there are, which models they had ready, and which are wanted.

Pure: no clock, no Ray. A directory dies with its process and remembers nothing; what it must not forget, workers and
ingresses keep for it (`Memory`) and hand to the next one, which they know by its other ``incarnation``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from brood.protocol.models import ModelStatus
from brood.store.wanted import Change, Wanted

SILENCE_S = 5.0  # a worker that has said nothing for so long is not handed out any more
Key = tuple[str, int]  # name, version of a model


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker is."""

    worker_id: str
    generator: str  # the group it belongs to
    address: str  # HOST:PORT of its links
    node: str  # the machine's address, for messages
    edition: str  # of the settings that it was started with: see `edition_of`


@dataclass(frozen=True, slots=True)
class Memory:
    """What outlives a directory."""

    base: str  # of which settings the wanted state is a change; that of others means nothing
    wanted: Wanted
    models: Mapping[str, tuple[ModelStatus, ...]] = field(default_factory=dict)  # generator → what it had ready last


@dataclass(frozen=True, slots=True)
class Report:
    """What a worker says to the directory, again and again."""

    place: Place
    base: str
    incarnation: str  # of the directory that it heard last; empty: of none
    revision: int  # of the wanted state that it was told last
    done: int  # of the wanted state that it has come to: nothing of it is left to be loaded
    models: tuple[ModelStatus, ...] | None  # None: as before
    problems: tuple[str, ...] = ()  # what is wrong there beside single models
    memory: Memory | None = None  # for a directory that has changed


@dataclass(frozen=True, slots=True)
class Orders:
    """What the directory answers to a worker."""

    incarnation: str
    wanted: Wanted | None  # None: the worker was started with other settings and stays as it is


@dataclass(frozen=True, slots=True)
class View:
    """What the directory answers to an ingress."""

    incarnation: str
    revision: int  # of this view; changes with everything below
    workers: Mapping[str, Place]
    expected: tuple[ModelStatus, ...]  # models that are or were ready somewhere, and are still wanted
    memory: Memory
    problems: tuple[str, ...]  # of workers, beside single models
    troubles: Mapping[str, str]  # group → what is wrong with it as a whole
    stopping: bool  # all of the application will be ended: take no more requests


@dataclass(slots=True)
class _Worker:
    place: Place
    base: str
    done: int
    seen: float  # when it last said something
    models: tuple[ModelStatus, ...] = ()
    problems: tuple[str, ...] = ()


class Register:
    """The directory's knowledge.

    Args:
        base: a name for the settings that the wanted state begins with.
        wanted: as the settings say it.
        incarnation: a name that no other register of this application has.
    """

    def __init__(self, base: str, wanted: Wanted, incarnation: str) -> None:
        self.base, self.wanted, self.incarnation = base, wanted, incarnation
        self.revision = 1
        self.stopping = False
        self._troubles: Mapping[str, str] = {}
        self._workers: dict[str, _Worker] = {}
        self._known: dict[str, dict[Key, ModelStatus]] = {}  # generator → models that it had ready last

    def report(self, report: Report, now: float) -> None:
        """A worker has said something."""
        self.adopt(report.memory)
        place = report.place
        worker = self._workers.get(place.worker_id)
        if worker is None:
            worker = self._workers[place.worker_id] = _Worker(place, report.base, report.done, now)
            self.revision += 1
        worker.seen, worker.done = now, report.done
        if report.problems != worker.problems:
            worker.problems = report.problems
            self.revision += 1
        if report.models is not None and report.models != worker.models:
            worker.models = report.models
            self._learn(place.generator)

    def leave(self, worker_id: str) -> None:
        """A worker says goodbye."""
        if self._workers.pop(worker_id, None) is not None:
            self.revision += 1

    def expire(self, now: float) -> None:
        """Forget workers that have been silent for too long."""
        for worker_id in [key for key, worker in self._workers.items() if now - worker.seen > SILENCE_S]:
            self.leave(worker_id)

    def adopt(self, memory: Memory | None) -> None:
        """Take over what others remember of a directory that is gone."""
        if memory is None:
            return
        if memory.base == self.base and memory.wanted.revision > self.wanted.revision:
            self.wanted = memory.wanted
            self.revision += 1
        for generator, models in memory.models.items():
            known = self._known.setdefault(generator, {})
            for model in models:
                if (model.name, model.version) not in known:
                    known[model.name, model.version] = model
                    self.revision += 1

    def change(self, change: Change, name: str, version: int | None = None) -> int:
        """Change what is wanted; returns the revision of that."""
        self.wanted = self.wanted.after(change, name, version)
        self.revision += 1
        return self.wanted.revision

    def take_back(self, name: str, before: Wanted) -> None:
        """Want of a model what was wanted of it before."""
        models = {key: choice for key, choice in self.wanted.models.items() if key != name}
        if name in before.models:
            models[name] = before.models[name]
        self.wanted = replace(self.wanted, revision=self.wanted.revision + 1, models=models)
        self.revision += 1

    def absent(self, name: str, version: int | None) -> str:
        """Why no worker has a model, or a version of it, that was asked for; empty: one has it, or may have."""
        told = [
            model
            for worker in self._workers.values()
            for model in worker.models
            if model.name == name and model.version in (0, version or model.version)
        ]
        if not told or any(model.manifest is not None or model.state != "failed" for model in told):
            return ""
        return told[0].reason

    def stop(self) -> None:
        """From now on ingresses are told to take no more requests."""
        self.stopping = True
        self.revision += 1

    def trouble(self, troubles: Mapping[str, str]) -> None:
        """What is wrong with whole groups, so that they have no workers that could say it."""
        if troubles != self._troubles:
            self._troubles = troubles
            self.revision += 1

    def behind(self, revision: int) -> list[str]:
        """Workers that follow the wanted state and have not come to this revision of it."""
        return [key for key, worker in self._workers.items() if worker.base == self.base and worker.done < revision]

    def has(self, name: str) -> bool:
        """Whether some worker knows of a model of that name, or some had it ready."""
        reported = {model.name for worker in self._workers.values() for model in worker.models}
        return name in reported or any(name == key[0] for known in self._known.values() for key in known)

    def orders(self, report: Report) -> Orders:
        """The answer to a worker."""
        return Orders(self.incarnation, self.wanted if report.base == self.base else None)

    def view(self) -> View:
        """The answer to an ingress."""
        models = {generator: tuple(known.values()) for generator, known in self._known.items()}
        wanted = [
            model
            for known in models.values()
            for model in known
            if not self.wanted.of(model.name).dismissed(model.version)
        ]
        return View(
            self.incarnation,
            self.revision,
            {worker_id: worker.place for worker_id, worker in self._workers.items()},
            tuple({(model.name, model.version): model for model in wanted}.values()),
            Memory(self.base, self.wanted, models),
            tuple(f"{key}: {problem}" for key, worker in self._workers.items() for problem in worker.problems),
            self._troubles,
            self.stopping,
        )

    def _learn(self, generator: str) -> None:
        """Which models can be expected of a group, now that one of its workers has said what it has."""
        reported = [worker.models for worker in self._workers.values() if worker.place.generator == generator]
        states: dict[Key, set[str]] = {}
        for model in (model for models in reported for model in models):
            states.setdefault((model.name, model.version), set()).add(model.state)
        settled = any(reported) and not any("loading" in found for found in states.values())
        known = self._known.setdefault(generator, {})
        for key in list(known):
            found = states.get(key, {"unloaded"} if settled else set())
            if found and not found & {"ready", "loading"}:
                del known[key]
        for model in (model for models in reported for model in models if model.state == "ready"):
            known[model.name, model.version] = model
        self.revision += 1
