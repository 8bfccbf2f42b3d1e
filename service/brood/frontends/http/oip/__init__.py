"""The Open Inference Protocol v2 over HTTP, under ``/v2``, with Triton's binary extension and ``generate``."""

from brood.frontends.http.oip.routes import routes

__all__ = ["routes"]
