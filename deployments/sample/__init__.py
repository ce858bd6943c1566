"""The shop that the demo and the tests move about. All of it is YAML."""
