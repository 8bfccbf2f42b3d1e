"""Ready models in this process: store + runtimes + engine, without Ray."""
