"""Pure functions on plain dict objects: no I/O, no clock, no Prefect, no Kubernetes client."""
