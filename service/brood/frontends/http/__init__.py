"""HTTP: JSON and files in, JSON and files out."""
