"""On Ray Serve: which processes there are, and their lives. The only package that imports ray."""
