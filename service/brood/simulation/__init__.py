"""What would happen: the engine's scheduler on a virtual clock, driven by an arrival trace and a cost curve."""
