"""Check cluster, store, Prefect and versions, and say what to do about what is wrong. It changes nothing."""
