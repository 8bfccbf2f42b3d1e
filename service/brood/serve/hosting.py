"""From settings to what a host is told: which models, on which device, with how much of everything."""

from __future__ import annotations

import hashlib

from brood.engine.loop import EngineOptions
from brood.generators import GeneratorSettings
from brood.host.host import HostOptions
from brood.settings import OTHERS, Settings
from brood.store.wanted import Wanted, parse_versions, wanted


def wanted_of(settings: Settings) -> Wanted:
    """Which models shall be served, as the settings say it.

    Raises:
        InvalidArgument: a version policy is for a model that is not among the names.
    """
    policies = {"" if name == OTHERS else name: parse_versions(policy) for name, policy in settings.versions.items()}
    return wanted(policies, settings.names)


def edition_of(settings: Settings) -> str:
    """A name for settings as a whole: processes of one deployment have the same, those of the next another."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:8]


def host_options(settings: Settings, group: GeneratorSettings | None = None) -> HostOptions:
    """What a host is told.

    Args:
        settings: of the server.
        group: the generator whose worker it is for; None: the host is the only one.
    """
    own = group or GeneratorSettings(name="all")
    device = own.device or settings.device
    return HostOptions(
        models=settings.models,
        wanted=wanted_of(settings).only(own.models),
        poll_s=settings.poll_s,
        threads=own.threads or settings.threads,
        device=device,
        provider_options={**settings.provider_options, **own.provider_options},
        device_memory_bytes=own.device_memory_bytes or settings.device_memory_bytes,
        gpu_share=own.num_gpus or 1.0,
        allow_native=settings.allow_native,
        cache_dir=settings.cache_dir,
        max_state_bytes=own.max_state_bytes or settings.max_state_bytes,
        engine=EngineOptions(
            max_backlog_s=own.max_backlog_s or settings.max_backlog_s,
            max_held_bytes=settings.max_held_bytes,
            max_wait_s=settings.max_wait_ms / 1000,
            lanes=(own.lanes or settings.lanes) if device == "cpu" else 1,
            hang_s=settings.hang_s,
        ),
    )
