"""The client that blocks, made of ``_async`` by ``scripts/unasync.py``."""
