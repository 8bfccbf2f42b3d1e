"""OpenAI's images API, under ``/v1/images``: generations, edits where a model completes, variations where it varies.

Its clients list models at ``/v1/models``, as everybody does.
"""

from brood.frontends.http.openai.routes import routes

__all__ = ["routes"]
