"""Schemas of kinds: OpenAPI documents, structural schemas of definitions, and versions with the same fields."""
