"""A real local control plane: clusters, nodes and an S3 server, as processes on loopback."""
