"""The API server: the only importer of the kubernetes client, and the one HTTP path to a cluster."""
