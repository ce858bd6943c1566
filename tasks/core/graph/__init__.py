"""The order of objects: references and edges, priorities, cycles, and what a selection needs besides."""
