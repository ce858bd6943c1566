"""Check cluster, store, Prefect and versions, and report what to do about each problem. It changes nothing."""
