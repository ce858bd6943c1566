"""The sample application that the demo and the tests back up and restore: a shop, written in YAML."""
