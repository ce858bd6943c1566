"""When an object is ready, failed or waited for, kind by kind, and what its events say about the cause."""
