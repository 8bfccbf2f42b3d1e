"""Transports: they translate, and decide nothing."""
