"""How to run a graph, and where the tensors between two runs live."""
