"""The outside world, one adapter a file: API servers, stores, the clock, this machine."""
