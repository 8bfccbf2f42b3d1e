"""What a host holds of each version of each model, and what is told about it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from brood.host.loading import ReadyModel, ready_status
from brood.host.reconcile import Held, Key
from brood.protocol.manifest import Manifest
from brood.protocol.models import ModelStatus

FIRST_S, LONGEST_S = 1.0, 600.0  # between two tries at a bundle that could not be read; each time twice as long
# Requests that were meant for a version before another took its place, and come in now: so long they are still let in.
LINGER_S = 5.0
FORGET_S = 3600.0  # so long a version is listed that was unloaded and has left the store: longer than its requests run
RELOAD_FAILED = "reload failed, and what was loaded before serves on"


@dataclass(slots=True)
class Version:
    """One version of one model, as far as it has come."""

    held: Held
    ready: ReadyModel | None = None
    digest: str = ""  # of the bundle that serves
    failures: int = 0  # to read it, one after another
    retry_at: float = math.inf


class Shelf:
    """Owned by the event loop of its host.

    Args:
        on_model: told whenever a status changes.
        let_go: told whenever a model has served its time: no request is given to it any more.
    """

    def __init__(
        self, on_model: Callable[[ModelStatus], None], let_go: Callable[[ReadyModel], None] = lambda ready: None
    ) -> None:
        self._on_model, self._let_go = on_model, let_go
        self._versions: dict[Key, Version] = {}
        self._statuses: dict[Key, ModelStatus] = {}
        self._absent: set[Key] = set()
        self._leaving: dict[Key, ReadyModel] = {}
        self._left_at: dict[Key, float] = {}

    @property
    def statuses(self) -> list[ModelStatus]:
        """Of all versions, in order of name and version."""
        return [self._statuses[key] for key in sorted(self._statuses)]

    @property
    def retry_at(self) -> float:
        """When the next version is to be tried again; infinite if none is."""
        return min((version.retry_at for version in self._versions.values()), default=math.inf)

    def held(self, now: float) -> dict[Key, Held]:
        """What a plan is made of."""
        return {key: replace(each.held, due=each.retry_at <= now) for key, each in self._versions.items()}

    def status(self, key: Key) -> ModelStatus | None:
        """What is told of a version; None: nothing is known."""
        return self._statuses.get(key)

    def ready(self, key: Key) -> ReadyModel | None:
        """What serves, if this version does, or did until a moment ago."""
        version = self._versions.get(key)
        return (version.ready if version else None) or self._leaving.get(key)

    def digest(self, key: Key) -> str:
        """Of the bundle that serves; empty: none does."""
        version = self._versions.get(key)
        return version.digest if version else ""

    def loading(self, key: Key) -> None:
        """It is about to be loaded. What serves meanwhile, or is only tried again, is told of as before."""
        version, status = self._versions.get(key), self._statuses.get(key)
        trying = version is not None and (version.ready is not None or not math.isinf(version.retry_at))
        if not trying and (status is None or status.state != "loading"):
            self._tell(ModelStatus(*key, "loading"))

    def put(self, key: Key, held: Held, digest: str, manifest: Manifest, ready: ReadyModel) -> None:
        """It serves from now on. What served under the same number is let go of; its running requests go on."""
        before = self._versions.get(key)
        self._versions[key] = Version(replace(held, ready=True), ready, digest)
        self._tell(ready_status(manifest, ready))
        if before is not None and before.ready is not None:
            self._let_go(before.ready)

    def fail(self, key: Key, held: Held, reason: str, manifest: Manifest | None, retry_from: float | None) -> None:
        """It could not be loaded. If it served before, it goes on.

        Args:
            key: which version.
            held: when it was tried, and what the store said.
            reason: for callers.
            manifest: if it could be read.
            retry_from: the time, if what failed may come right by itself; None: it may not.
        """
        version = self._versions.setdefault(key, Version(held))
        version.held = replace(held, ready=version.ready is not None)
        if version.ready is not None:
            self.remark(key, f"{RELOAD_FAILED}: {reason}")
            return
        version.failures += 1
        pause_s = min(FIRST_S * 2.0 ** (version.failures - 1), LONGEST_S)
        version.retry_at = math.inf if retry_from is None else retry_from + pause_s
        self._tell(ModelStatus(*key, "failed", reason, manifest))

    def seen(self, key: Key, stamp: str, remark: str) -> None:
        """The store has been looked at: what it says of a version that serves, and what is to be told about it."""
        version = self._versions[key]
        version.held = replace(version.held, stamp=stamp)
        self.remark(key, remark)

    def tried(self, key: Key, held: Held) -> None:
        """It was to be reloaded, and what serves is what the store has."""
        if (version := self._versions.get(key)) is not None:
            version.held = replace(held, ready=version.held.ready)
            self.remark(key, "")

    def remark(self, key: Key, reason: str) -> None:
        """Something is wrong with a version though it serves; empty: nothing is any more."""
        status = self._statuses[key]
        if status.reason != reason:
            self._tell(replace(status, reason=reason))

    def drop(self, key: Key) -> None:
        """Let go of it: running requests have what they need, and end."""
        version, status, loop = self._versions.pop(key, None), self._statuses[key], asyncio.get_running_loop()
        replaced = any(name == key[0] and other.ready is not None for (name, _), other in self._versions.items())
        self._left_at[key] = loop.time()
        self._tell(ModelStatus(*key, "unloaded", manifest=status.manifest))
        if version is not None and version.ready is not None:
            self._leaving[key] = version.ready
            if replaced:
                loop.call_later(LINGER_S, self._leave, key, version.ready)
            else:
                self._leave(key, version.ready)

    def _leave(self, key: Key, ready: ReadyModel) -> None:
        if self._leaving.get(key) is ready:
            del self._leaving[key]
        self._let_go(ready)

    def missing(self, absent: Mapping[Key, str]) -> None:
        """What is wanted by name or number, and is not there; what else was missing before is forgotten."""
        for key in self._absent - absent.keys():
            if key not in self._versions:
                self._statuses.pop(key, None)
        self._absent = set(absent)
        for key, reason in absent.items():
            status = ModelStatus(*key, "failed", reason)
            if self._statuses.get(key) != status:
                self._tell(status)

    def forget(self, there: Collection[Key]) -> None:
        """Tell no more of what was unloaded long ago and has left the store, too."""
        now = asyncio.get_running_loop().time()
        for key, left_at in list(self._left_at.items()):
            status = self._statuses.get(key)
            if status is None or status.state != "unloaded":
                del self._left_at[key]
            elif key not in there and now - left_at > FORGET_S:
                del self._left_at[key], self._statuses[key]

    def _tell(self, status: ModelStatus) -> None:
        self._statuses[status.name, status.version] = status
        self._on_model(status)
