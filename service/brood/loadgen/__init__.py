"""Load for a server, and what became of it. Knows the wire only: whatever speaks these protocols can be measured."""
