"""The secret that the processes of one application share, so that nobody else talks to its workers."""

from __future__ import annotations

import secrets

from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put

NAMESPACE = b"brood"


def token_of(app: str) -> str:
    """Drawn by whoever asks first, and kept in Ray's own store, to which only the cluster's processes have access.

    It outlives upgrades, during which old and new processes must understand each other. Blocks.
    """
    key = f"token:{app}".encode()
    _internal_kv_put(key, secrets.token_urlsafe(32).encode(), overwrite=False, namespace=NAMESPACE)
    found = _internal_kv_get(key, namespace=NAMESPACE)
    assert isinstance(found, bytes)
    return found.decode()
