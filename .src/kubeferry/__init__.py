"""Kubeferry: back up, restore, migrate and clone Kubernetes namespaces as Prefect flows of small, retryable tasks.

`flows`, `tasks` and `deployments` are the folders of these names at the top of the repository. As packages of their own
they would collide with what users of Prefect call their own folders.
"""
