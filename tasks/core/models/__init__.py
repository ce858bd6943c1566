"""Options and results of flows, as pydantic models: the source of forms, command line and JSON."""
