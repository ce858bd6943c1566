"""The declarations of deployments/prefect.yaml, fitted to what was asked of `kubeferry deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tasks.core.options_deploy import DeployOptions

PLACE = ("context", "kubeconfig", "store")
"""What every flow is told that takes it."""

CHOICE = ("namespaces", "namespace_selector", "exclude_namespace")
"""What the scheduled backup is told instead of what is declared, when any of it was asked for."""

Declaration = dict[str, Any]


def flow_of(declaration: Declaration) -> str:
    """Return the name of the flow that a declaration runs: that of its function."""
    return str(declaration["entrypoint"]).rpartition(".")[2]


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
    options = dict(declaration["parameters"]["options"])
    options |= {name: value for name in PLACE if name in takes and (value := getattr(asked, name))}
    chosen = {name: value for name in CHOICE if (value := getattr(asked, name))}
    if chosen and title(declaration) == "backup/nightly":
        options = {name: value for name, value in options.items() if name not in CHOICE} | chosen
    return declaration | {
        "parameters": {"options": options},
        "schedules": [_moved(each, flow_of(declaration), asked) for each in declaration.get("schedules", [])],
        "work_pool": declaration["work_pool"] | {"name": asked.work_pool},
    }


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
    return schedule | {name: value for name, value in wanted.items() if value}
