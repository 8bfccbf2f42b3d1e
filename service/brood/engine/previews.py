"""Previews that wait to be made: at most one of each row, because only the newest is of interest."""

from __future__ import annotations

from collections.abc import Iterator

from brood.engine.model import EngineModel, Group
from brood.engine.plan import Shot
from brood.engine.rows import Job, Row


class Previews:
    """Shots by the group of their preview's graph, in the order they were taken."""

    def __init__(self) -> None:
        self._shots: dict[Group, dict[Row, Shot]] = {}

    def put(self, shot: Shot) -> None:
        """Take a shot; an older one of the same row is dropped."""
        group = _group(shot.row)
        waiting = self._shots.setdefault(group, {})
        waiting.pop(shot.row, None)
        waiting[shot.row] = shot

    def drop(self, row: Row) -> None:
        """A row is finished or has ended: nobody wants to know any more what it was like before."""
        if row.job.generation.preview_every is not None and row.job.program.preview is not None:
            self._shots.get(_group(row), {}).pop(row, None)

    def offers(self) -> Iterator[tuple[Group, EngineModel, Job]]:
        """Each group that has some: the model, and the job that has waited longest."""
        for group, waiting in self._shots.items():
            if waiting:
                row = next(iter(waiting))
                yield group, row.job.model, row.job

    def take(self, group: Group, most: int) -> list[Shot]:
        """So many of them, the oldest first."""
        waiting = self._shots[group]
        return [waiting.pop(row) for row in list(waiting)[:most]]


def _group(row: Row) -> Group:
    preview = row.job.program.preview
    if preview is None:
        raise RuntimeError(f"operation {row.job.generation.operation!r} has no preview")
    return row.job.model.group_of(preview)
