"""The declarations of deployments/prefect.yaml, fitted to what was asked of `kubeferry deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.pools import PoolType

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubeferry.tasks.core.models.options_deploy import DeployOptions

PLACE = ("context", "kubeconfig", "store")
"""What every flow is told that takes it."""

CHOICE = ("all_namespaces", "namespaces", "namespace_selector")
"""What the scheduled backup is told instead of what is declared, when any of it was asked for."""

WRITES = {"restore", "migrate", "migrate-namespace", "populate"}
"""Flows that write to a cluster: their Jobs have the account that may."""

Declaration = dict[str, Any]


def flow_of(declaration: Declaration) -> str:
    """Return the name of the flow that a declaration runs: that of its function."""
    return str(declaration["entrypoint"]).rpartition(".")[2].replace("_", "-")


def title(declaration: Declaration) -> str:
    """Return FLOW/NAME, as Prefect calls a deployment."""
    return f"{flow_of(declaration)}/{declaration['name']}"


def fitted(declaration: Declaration, asked: DeployOptions, takes: Collection[str]) -> Declaration:
    """Return a declaration with the place, namespaces, schedule and work pool that were asked for.

    Args:
        declaration: one deployment of prefect.yaml.
        asked: what was asked for.
        takes: the fields of the options of its flow.
    """
    options = dict(declaration["parameters"].get("options", {}))
    options |= {name: value for name in PLACE if name in takes and (value := getattr(asked, name))}
    special = {"backup/nightly": _chosen, "prune/nightly": _kept}.get(title(declaration))
    options = special(options, asked) if special else options
    return declaration | {
        "parameters": {"options": options} if "options" in declaration["parameters"] else {},
        "schedules": [_moved(each, flow_of(declaration), asked) for each in declaration.get("schedules", [])],
        "work_pool": {"name": asked.work_pool, "job_variables": _job(declaration, asked)},
    }


def _job(declaration: Declaration, asked: DeployOptions) -> dict[str, Any]:
    """Return what differs from the base job template: an account that writes only for what writes."""
    variables = dict(declaration["work_pool"].get("job_variables", {}))
    if asked.type is PoolType.KUBERNETES:
        variables["service_account_name"] = f"kubeferry-{'restore' if flow_of(declaration) in WRITES else 'backup'}"
        variables |= {"image": asked.image} if asked.image else {}
    return variables


def _chosen(options: dict[str, Any], asked: DeployOptions) -> dict[str, Any]:
    chosen = {name: value for name in CHOICE if (value := getattr(asked, name))}
    kept = {name: value for name, value in options.items() if name not in CHOICE} if chosen else options
    return kept | chosen | ({"exclude_namespace": asked.exclude_namespace} if asked.exclude_namespace else {})


def _kept(options: dict[str, Any], asked: DeployOptions) -> dict[str, Any]:
    if not asked.keep:
        return options
    others = {name: value for name, value in options.items() if not name.startswith("keep_")}
    return others | {f"keep_{rule}": value if rule == "within" else int(value) for rule, value in asked.keep.items()}


def check_crons(declarations: Collection[Declaration], asked: DeployOptions) -> None:
    """Return if each schedule that was asked for is one of a scheduled flow.

    Raises:
        UsageError: it is not; names those that are.
    """
    scheduled = sorted(flow_of(each) for each in declarations if each.get("schedules"))
    if unknown := sorted(set(asked.cron) - set(scheduled)):
        raise UsageError(f"--cron: {unknown[0]} has no schedule; these have: {', '.join(scheduled)}")


def _moved(schedule: dict[str, Any], flow: str, asked: DeployOptions) -> dict[str, Any]:
    wanted = {"cron": asked.cron.get(flow), "timezone": asked.timezone}
    moved = schedule | {name: value for name, value in wanted.items() if value}
    # Nothing is removed by itself unless somebody said what is to stay.
    return moved | {"active": True, "asked": True} if flow == "prune" and asked.keep else moved
