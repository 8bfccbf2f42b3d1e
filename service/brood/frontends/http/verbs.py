"""Which verb an HTTP request means, by method and path alone: what it needs is known before its body is read."""

from __future__ import annotations

import re
from functools import lru_cache

from brood.access.verbs import Verb

# The first that fits decides. What nothing fits needs a key with the scope "admin": a new address is closed until it
# stands here. Probes and documents are open, for they say nothing that the other addresses keep.
TABLE: tuple[tuple[str, str, Verb], ...] = (
    (r"GET|HEAD", r"/|/healthz|/readyz|/-/healthz|/livez|/health|/docs(/.*)?|/openapi\.json", "open"),
    (r"GET|HEAD", r"/v2/health/(live|ready)|/v2/models/[^/]+(/versions/[^/]+)?/ready", "open"),
    (r"DELETE", r"/v1/generations/.+", "cancel"),
    (r"POST", r"/v1/generations|/v1/images/[a-z]+", "generate"),
    (r"POST", r"/v2/models/[^/]+(/versions/[^/]+)?/(infer|generate|generate_stream)", "generate"),
    (r"POST", r"/v2/repository/index", "read"),
    (r"GET|HEAD", r".*", "read"),
)
_COMPILED = tuple((re.compile(methods), re.compile(paths), verb) for methods, paths, verb in TABLE)


@lru_cache(256)
def verb_of(method: str, path: str) -> Verb:
    """What a request wants to do."""
    for methods, paths, verb in _COMPILED:
        if methods.fullmatch(method) and paths.fullmatch(path):
            return verb
    return "admin"
