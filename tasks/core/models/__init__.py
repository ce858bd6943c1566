"""Options and results of flows, as pydantic models: forms, command line and JSON are made from them."""
