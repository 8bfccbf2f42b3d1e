"""Where a process of a server counts, and who tells the counts of its node."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brood.observe.living import count_into
from brood.settings import Settings, export_variables

if TYPE_CHECKING:
    from brood.observe.keeper import Keeper


def count_here(settings: Settings) -> Keeper | None:
    """Let this process count where all of its node do, and tell what they have counted whenever nobody else does.

    To be called before the metrics are imported.

    Returns:
        The keeper, to be closed when this process stops; None: without a directory for counts there is nothing to tell.
    """
    if settings.metrics_dir is None:
        return None
    directory = settings.metrics_dir
    export_variables(count_into(directory))
    from brood.observe.keeper import Keeper
    from brood.serve.entrance import exporter_of

    return Keeper(lambda: exporter_of(settings, directory))
