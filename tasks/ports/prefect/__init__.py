"""Prefect's API: the local server, deployments, approvals, runs, sub-flows and events."""
