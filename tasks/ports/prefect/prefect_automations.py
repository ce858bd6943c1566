"""Register automations with a Prefect server, and find the block that sends their notifications.

What a block holds (the address of a webhook) is never read here: an automation names it by its id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

from kubeferry.tasks.core.errors import UsageError

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from kubeferry.tasks.ports.prefect.deployments import Change

SUBJECT = "Kubeferry: {{ flow_run.name }}: {{ flow_run.state.name }}"
BODY = """\
{{ flow_run.name }} ({{ event.event }}): {{ flow_run.state.name }}{% if flow_run.state.message %}: \
{{ flow_run.state.message }}{% endif %}
{{ flow_run|ui_url or "" }}"""
PAYLOAD = (
    "{% set where = (flow_run|ui_url) or '' %}"
    '{"text": {{ (flow_run.name ~ ": " ~ flow_run.state.name ~ " (" ~ event.event ~ ") " ~ where)|tojson }}}'
)
"""What a plain webhook gets: JSON that chat programs take as a message."""


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
    """Have an automation as declared, by its name; whether it is enabled is left as it is."""
    wanted = AutomationCore.model_validate(declared)
    same = await client.read_automations_by_name(wanted.name)
    if not same:
        await client.create_automation(wanted)
        return "created"
    found, enabled = same[0], {"enabled": same[0].enabled}
    as_wanted = wanted.model_copy(update=enabled)
    if _comparable(AutomationCore.model_validate(found.model_dump())) == _comparable(as_wanted):
        return "unchanged"
    await client.update_automation(found.id, as_wanted)
    return "updated"


def _comparable(automation: AutomationCore) -> dict[str, Any]:
    values = automation.model_dump(mode="json", exclude={"owner_resource", "tags"})
    trigger = values["trigger"] | {"id": None}
    for each in ("expect", "after", "for_each"):
        trigger[each] = sorted(trigger[each])
    return values | {"trigger": trigger}
