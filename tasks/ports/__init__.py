"""The outside world, one system per package: API servers, stores, archives, records, Prefect, this machine."""
