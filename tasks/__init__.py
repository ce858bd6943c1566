"""The steps: one retryable Prefect task a file. Rules are in `core`, the outside world in `ports`."""
