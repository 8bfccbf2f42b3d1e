"""When to run what: rows of any request, step and operation share graph calls."""
