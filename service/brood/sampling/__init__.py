"""Where samples get their randomness and their schedules: pure functions on numpy arrays, no state, no I/O."""
