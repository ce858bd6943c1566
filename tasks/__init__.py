"""The steps: retryable Prefect tasks, one package per use. Rules are in `core`, the outside world in `ports`."""
