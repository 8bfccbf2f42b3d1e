"""The client for asyncio. The blocking one, ``_sync``, is made of it by ``scripts/unasync.py``."""
