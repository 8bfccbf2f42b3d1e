"""gRPC: ``brood.v1.Generator``, health and reflection."""
