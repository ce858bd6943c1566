"""The declarations of deployments/prefect.yaml, adapted to the options of `kubeferry deploy`."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.pools import PoolType, restore_pool

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubeferry.tasks.core.models.options_deploy import DeployOptions

PLACE = ("context", "kubeconfig", "store")
"""Options that every flow with these fields gets."""

CHOICE = ("all_namespaces", "namespaces", "namespace_selector")
"""Options that replace the declared ones of the scheduled backup if any of them is given."""

WRITES = {"restore", "migrate", "migrate-namespace", "populate"}
"""Flows that write to a cluster: their Jobs are of the work pool whose service account may."""

Declaration = dict[str, Any]


def flow_of(declaration: Declaration) -> str:
    """Return the name of the flow that a declaration runs: that of its function."""
    return str(declaration["entrypoint"]).rpartition(".")[2].replace("_", "-")


def title(declaration: Declaration) -> str:
    """Return FLOW/NAME, Prefect's name of a deployment."""
    return f"{flow_of(declaration)}/{declaration['name']}"


def fitted(declaration: Declaration, asked: DeployOptions, takes: Collection[str]) -> Declaration:
    """Return a declaration with the requested cluster, store, namespaces, schedule and work pool.

    Args:
        declaration: one deployment of prefect.yaml.
        asked: the options of `kubeferry deploy`.
        takes: the fields of the options of its flow.
    """
    options = dict(declaration["parameters"])
    options |= {name: value for name in PLACE if name in takes and (value := getattr(asked, name))}
    special = {"backup/nightly": _chosen, "prune/nightly": _kept}.get(title(declaration))
    options = special(options, asked) if special else options
    return declaration | {
        "parameters": options,
        "schedules": [_moved(each, flow_of(declaration), asked) for each in declaration.get("schedules", [])],
        "work_pool": {
            "name": restore_pool(asked.work_pool, asked.type) if flow_of(declaration) in WRITES else asked.work_pool,
            "job_variables": dict(declaration["work_pool"].get("job_variables", {})),
        },
    }


def pools(template: dict[str, Any], asked: DeployOptions) -> dict[str, dict[str, Any]]:
    """Return the work pools to register: name → base job template.

    Args:
        template: the shipped one of this type, with the service account that may only read.
        asked: the options of `kubeferry deploy`; its image is that of all Jobs.
    """
    if asked.type is PoolType.PROCESS:
        return {asked.work_pool: template}
    names = {asked.work_pool: "kubeferry-backup", restore_pool(asked.work_pool, asked.type): "kubeferry-restore"}
    return {name: _as_account(template, account, asked.image) for name, account in names.items()}


def _as_account(template: dict[str, Any], account: str, image: str) -> dict[str, Any]:
    made = deepcopy(template)
    pod = made["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    pod["serviceAccountName"] = account
    (container,) = pod["containers"]
    container["image"] = image or container["image"]
    return made


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
    """Check that each given schedule is for a scheduled flow.

    Raises:
        UsageError: it is not; the message lists the scheduled flows.
    """
    scheduled = sorted(flow_of(each) for each in declarations if each.get("schedules"))
    if unknown := sorted(set(asked.cron) - set(scheduled)):
        raise UsageError(f"--cron: {unknown[0]} has no schedule; these have: {', '.join(scheduled)}")


def _moved(schedule: dict[str, Any], flow: str, asked: DeployOptions) -> dict[str, Any]:
    wanted = {"cron": asked.cron.get(flow), "timezone": asked.timezone}
    moved = schedule | {name: value for name, value in wanted.items() if value}
    # Nothing is removed on a schedule unless the user said what to keep.
    return moved | {"active": True, "asked": True} if flow == "prune" and asked.keep else moved
