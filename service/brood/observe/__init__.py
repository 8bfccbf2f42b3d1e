"""Metrics and logs: what a running server tells its operators."""
