"""Read the declarations that come with Kubeferry, fit them to what was asked, and have each registered."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from prefect.client.orchestration import get_client

from kubeferry.tasks.core.ops.declarations import check_crons, fitted, title
from kubeferry.tasks.ports.prefect.deployments import ensure_automation, ensure_deployment, ensure_pool, notifier, takes

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from kubeferry.tasks.core.models.options_deploy import DeployOptions
    from kubeferry.tasks.core.ops.declarations import Declaration


async def registered(asked: DeployOptions) -> list[dict[str, str]]:
    """Register work pool and deployments; return a row for each, with what was done."""
    declared = _read("prefect.yaml")["deployments"]
    check_crons(declared, asked)
    wanted = [fitted(each, asked, takes(each["entrypoint"])) for each in declared]
    async with get_client() as client:
        template = _read(f"pools/{asked.type}.yaml")
        rows = [_row("work pool", asked.work_pool, await ensure_pool(client, asked.work_pool, asked.type, template))]
        rows += await _automations(client, asked.notify)
        rows += [_row("deployment", title(e), await ensure_deployment(client, e), _when(e)) for e in wanted]
    return rows


async def _automations(client: PrefectClient, notify: str) -> list[dict[str, str]]:
    """Register the automations; those that notify only when there is a block for it, and after it was found."""
    declared = _read("automations.yaml")["automations"]
    action = [await notifier(client, notify)] if notify else []
    wanted = [
        each | ({"actions": action} if each["notify"] else {}) for each in declared if notify or not each["notify"]
    ]
    return [_row("automation", each["name"], await ensure_automation(client, each)) for each in wanted]


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((files("kubeferry.deployments") / name).read_text())
    return found


def _row(what: str, name: str, change: str, schedule: str = "") -> dict[str, str]:
    return {"what": what, "name": name, "change": change, "schedule": schedule}


def _when(declaration: Declaration) -> str:
    off = {True: "", False: " (off: say --keep)"}
    return "; ".join(f"{each['cron']} {each['timezone']}{off[each['active']]}" for each in declaration["schedules"])
