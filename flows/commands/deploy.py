"""`kubeferry deploy`: register deployments, schedules and work pool with a Prefect server.

It reads the declarations that Kubeferry ships, fills in the options, and registers each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.flows.options.common import Format
from kubeferry.flows.options.from_model import takes
from kubeferry.flows.options.shared import OF_CLUSTER, PLACE
from kubeferry.tasks.core.models.pools import PoolType, restore_pool

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from prefect.client.orchestration import PrefectClient

    from kubeferry.tasks.core.models.options_deploy import DeployOptions
    from kubeferry.tasks.core.ops.declarations import Declaration


EPILOG = """\
Examples:
  kubeferry deploy shop billing --store 's3://backups/prod?region=eu-central-1'
  kubeferry deploy --namespace-selector tier=prod --cron '30 1 * * *' --timezone Europe/Berlin
  kubeferry deploy --all-namespaces --keep daily=7 --keep weekly=5 --notify slack-webhook/operators
  kubeferry deploy --type kubernetes --store 's3://backups/prod?region=eu-central-1'
"""


@takes(
    "deploy",
    f"namespaces {OF_CLUSTER} cron timezone keep notify type_ pool image {PLACE} output debug",
    model="options_deploy.DeployOptions",
)
def deploy(asked: DeployOptions, *, output: Format) -> None:
    """Register deployments with the Prefect server: nightly schedules, and runs from its UI.

    Without namespaces, the nightly backup takes those with the label kubeferry.io/backup=nightly.
    Repeated, the command changes only what differs, and a schedule that you paused stays paused.
    """
    from kubeferry.flows.console.output import line, print_rows
    from kubeferry.flows.console.run import run

    def start() -> Coroutine[Any, Any, list[dict[str, str]]]:
        return registered(asked)

    rows = run(start, asked, reach=False)
    print_rows(rows, output, columns=("what", "name", "change", "schedule"))
    if output is Format.TABLE:
        kind = "" if asked.type is PoolType.PROCESS else f" --type {asked.type}"
        pools = dict.fromkeys((asked.work_pool, restore_pool(asked.work_pool, asked.type)))
        commands = " and ".join(f"kubeferry worker{kind} --pool {pool}" for pool in pools)
        line(f"\nnow start a worker to run them: {commands}")


async def registered(asked: DeployOptions) -> list[dict[str, str]]:
    """Register work pool, automations and deployments; return a row for each, with what was done."""
    from prefect.client.orchestration import get_client

    from kubeferry.tasks.core.ops.declarations import check_crons, fitted, pools, title
    from kubeferry.tasks.ports.local import shipped
    from kubeferry.tasks.ports.prefect.deployments import ensure_deployment, ensure_pool, takes

    declared = shipped.read("prefect.yaml")["deployments"]
    check_crons(declared, asked)
    wanted = [fitted(each, asked, takes(each["entrypoint"])) for each in declared]
    async with get_client() as client:
        templates = pools(shipped.read(f"pools/{asked.type}.yaml"), asked)
        rows = [
            _row("work pool", name, await ensure_pool(client, name, asked.type, template))
            for name, template in templates.items()
        ]
        rows += await _automations(client, asked.notify)
        rows += [_row("deployment", title(e), await ensure_deployment(client, e), _when(e)) for e in wanted]
    return rows


async def _automations(client: PrefectClient, notify: str) -> list[dict[str, str]]:
    """Register the automations; those that notify only if a block is named and exists."""
    from kubeferry.tasks.ports.local import shipped
    from kubeferry.tasks.ports.prefect.deployments import ensure_automation, notifier

    declared = shipped.read("automations.yaml")["automations"]
    action = [await notifier(client, notify)] if notify else []
    wanted = [
        each | ({"actions": action} if each["notify"] else {}) for each in declared if notify or not each["notify"]
    ]
    return [_row("automation", each["name"], await ensure_automation(client, each)) for each in wanted]


def _row(what: str, name: str, change: str, schedule: str = "") -> dict[str, str]:
    return {"what": what, "name": name, "change": change, "schedule": schedule}


def _when(declaration: Declaration) -> str:
    off = {True: "", False: " (off: switch on with --keep)"}
    return "; ".join(f"{each['cron']} {each['timezone']}{off[each['active']]}" for each in declaration["schedules"])
