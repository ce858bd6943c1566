"""Rules of operation: health, rights, schedules, retention, concurrency, reports, declared deployments."""
