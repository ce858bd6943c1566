"""Rules of operation: health, permissions, schedules, retention, concurrency, reports, declared deployments."""
