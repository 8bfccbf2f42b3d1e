"""Words: manifests, requests, events, errors. Imports neither a transport nor a framework."""
