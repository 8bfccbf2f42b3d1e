"""Bundles on disk: find, verify, read, write."""
