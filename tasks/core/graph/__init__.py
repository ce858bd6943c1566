"""The order of objects: references and edges, priorities, cycles, and the dependencies of a selection."""
