"""Register work pools, deployments and automations with a Prefect server, idempotently.

Prefect's own deploy (an upsert) deletes the scheduled runs and recreates every schedule, a paused one as active. So the
existing objects are read first, and only differences are written: a paused schedule stays paused, schedules that others
added stay, and an automation keeps its enabled state. The content of a notification block (the URL of a webhook) is
never read: an automation refers to it by id.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from pydantic import ValidationError

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.forms import flat, form
from kubeferry.tasks.core.ops.declarations import title
from kubeferry.tasks.ports.prefect.parameters import ModelFlow

if TYPE_CHECKING:
    from prefect import Flow
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

    from kubeferry.tasks.core.ops.declarations import Declaration


Change = Literal["created", "updated", "unchanged"]


def flow_at(entrypoint: str) -> Flow[..., Any]:
    """Return the flow of a declaration's entrypoint."""
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def takes(entrypoint: str) -> set[str]:
    """Return the names of a flow's options."""
    return set(_form(flow_at(entrypoint))["properties"])


def _form(flow: Flow[..., Any]) -> dict[str, Any]:
    return form(flow.model) if isinstance(flow, ModelFlow) else parameter_schema(flow).model_dump_for_openapi()


async def ensure_pool(client: PrefectClient, name: str, kind: str, template: dict[str, Any]) -> Change:
    """Create or update a work pool with this type and base job template.

    Raises:
        UsageError: there is one of this name with another type.
    """
    try:
        found = await client.read_work_pool(name)
    except ObjectNotFound:
        wanted = WorkPoolCreate(name=name, type=kind, base_job_template=template, description="Runs of Kubeferry.")
        await client.create_work_pool(wanted)
        return "created"
    if found.type != kind:
        raise UsageError(f"--pool: work pool {name} exists and is of type {found.type}, not {kind}: name another one")
    if found.base_job_template == template:
        return "unchanged"
    await client.update_work_pool(name, WorkPoolUpdate(base_job_template=template))
    return "updated"


async def ensure_deployment(client: PrefectClient, declaration: Declaration) -> Change:
    """Create or update a deployment as declared.

    Raises:
        UsageError: its cron expression is invalid.
    """
    flow = flow_at(declaration["entrypoint"])
    wanted = _wanted(declaration, flow)
    try:
        found = await client.read_deployment_by_name(title(declaration))
    except ObjectNotFound:
        found = None
    schedules = _schedules(declaration, found.schedules if found else [])
    if found and _comparable(wanted, schedules) == _comparable(_as_is(found), found.schedules):
        return "unchanged"
    await client.create_deployment(await client.create_flow_from_name(flow.name), schedules=schedules, **wanted)
    return "updated" if found else "created"


def _wanted(declaration: Declaration, flow: Flow[..., Any]) -> dict[str, Any]:
    limit = declaration.get("concurrency_limit")
    strategy = limit and ConcurrencyOptions(collision_strategy=limit["collision_strategy"])
    return {
        "name": declaration["name"],
        "entrypoint": declaration["entrypoint"],
        "version": version("kubeferry"),
        "description": declaration["description"],
        "tags": declaration["tags"],
        "parameters": declaration["parameters"],
        "parameter_openapi_schema": _form(flow),
        "enforce_parameter_schema": True,
        "work_pool_name": declaration["work_pool"]["name"],
        "job_variables": declaration["work_pool"]["job_variables"],
        "concurrency_limit": limit and limit["limit"],
        "concurrency_options": strategy,
    }


def _as_is(found: DeploymentResponse) -> dict[str, Any]:
    limit = found.global_concurrency_limit
    same = "name entrypoint version description tags parameters parameter_openapi_schema enforce_parameter_schema"
    values = {name: getattr(found, name) for name in [*same.split(), "work_pool_name", "job_variables"]}
    return values | {"concurrency_limit": limit and limit.limit, "concurrency_options": found.concurrency_options}


def _comparable(values: dict[str, Any], schedules: Any) -> tuple[Any, ...]:
    options = values["concurrency_options"]
    plain = values | {"concurrency_options": options and options.collision_strategy, "tags": sorted(values["tags"])}
    return plain, sorted((each.slug or "", each.active, each.schedule.model_dump_json()) for each in schedules)


def _schedules(declaration: Declaration, found: Any) -> list[DeploymentScheduleCreate]:
    """Return the declared schedules, paused ones still paused, then the schedules that others added.

    Parameters that others gave a schedule in the form of an earlier version are registered in that of this one.
    """
    declared = declaration.get("schedules", [])
    ours = [_schedule(each) for each in declared]
    asked = {each["slug"] for each in declared if each.get("asked")}
    active = {each.slug: each.active for each in found if each.slug not in asked}
    kept = [each.model_copy(update={"active": active.get(each.slug, each.active)}) for each in ours]
    slugs = {each.slug for each in ours}
    copied = {"schedule", "active", "max_scheduled_runs", "parameters", "slug"}
    others = [each.model_dump(include=copied) for each in found if each.slug not in slugs]
    named = [each | {"parameters": flat(each["parameters"])} for each in others]
    return [*kept, *(DeploymentScheduleCreate.model_validate(each) for each in named)]


def _schedule(declared: dict[str, Any]) -> DeploymentScheduleCreate:
    try:
        timing = CronSchedule(cron=declared["cron"], timezone=declared["timezone"])
    except ValidationError as error:
        raise UsageError(
            f"--cron {declared['cron']!r}: {error.errors()[0]['msg'].removeprefix('Value error, ')}"
        ) from None
    return DeploymentScheduleCreate(schedule=timing, active=declared["active"], slug=declared["slug"])


SUBJECT = "Kubeferry: {{ flow_run.name }}: {{ flow_run.state.name }}"
BODY = """\
{{ flow_run.name }} ({{ event.event }}): {{ flow_run.state.name }}{% if flow_run.state.message %}: \
{{ flow_run.state.message }}{% endif %}
{{ flow_run|ui_url or "" }}"""
PAYLOAD = (
    "{% set where = (flow_run|ui_url) or '' %}"
    '{"text": {{ (flow_run.name ~ ": " ~ flow_run.state.name ~ " (" ~ event.event ~ ") " ~ where)|tojson }}}'
)
"""Payload for a plain webhook: JSON that chat programs accept as a message."""


async def notifier(client: PrefectClient, block: str) -> dict[str, Any]:
    """Return the action that notifies by a block, TYPE/NAME.

    Raises:
        UsageError: there is no such block.
    """
    kind, _, name = block.partition("/")
    try:
        found = await client.read_block_document_by_name(name, kind, include_secrets=False)
    except ObjectNotFound:
        hint = "make one in Prefect's UI under Blocks, or with its Python classes"
        raise UsageError(f"--notify {block!r}: there is no such block, {hint}") from None
    if kind == "webhook":
        return {"type": "call-webhook", "block_document_id": found.id, "payload": PAYLOAD}
    return {"type": "send-notification", "block_document_id": found.id, "subject": SUBJECT, "body": BODY}


async def ensure_automation(client: PrefectClient, declared: dict[str, Any]) -> Change:
    """Create or update an automation as declared, by its name; do not change whether it is enabled."""
    wanted = AutomationCore.model_validate(declared)
    same = await client.read_automations_by_name(wanted.name)
    if not same:
        await client.create_automation(wanted)
        return "created"
    found, enabled = same[0], {"enabled": same[0].enabled}
    as_wanted = wanted.model_copy(update=enabled)
    if _comparable_automation(AutomationCore.model_validate(found.model_dump())) == _comparable_automation(as_wanted):
        return "unchanged"
    await client.update_automation(found.id, as_wanted)
    return "updated"


def _comparable_automation(automation: AutomationCore) -> dict[str, Any]:
    values = automation.model_dump(mode="json", exclude={"owner_resource", "tags"})
    trigger = values["trigger"] | {"id": None}
    for each in ("expect", "after", "for_each"):
        trigger[each] = sorted(trigger[each])
    return values | {"trigger": trigger}
