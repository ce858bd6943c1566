"""What a restore renames besides what its rules find: the entries of a file of --rewrite-rules, as pydantic models."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter, field_validator

from kubeferry.tasks.core.models.forms import FormModel

NAMESPACE = "{namespace}"
"""Where the name of the namespace is in a template."""


class RewriteRule(FormModel):
    """Rename namespaces in these places; a template is literal text, so that no text makes it slow."""

    kind: Annotated[str, Field(min_length=1, max_length=300)] = "*"
    """Only objects of this kind, with its group unless that is Kubernetes' core: `ConfigMap`, `Deployment.apps`; `*`,
    `?` and `[...]` are wildcards."""

    place: Annotated[str, Field(min_length=1, max_length=2000)] = "*"
    """Only places that match: a JSON pointer such as `/data/*`, or an object and a pointer, such as
    `ConfigMap shop/notes /data/*`."""

    template: Annotated[str, Field(max_length=2000)] = NAMESPACE
    """Only where this text is around the name, `{namespace}` being the name: `queue-of-{namespace}`, or
    `svc.{namespace}.example`."""

    @field_validator("template")
    @classmethod
    def _has_a_name(cls, text: str) -> str:
        if NAMESPACE not in text:
            raise ValueError(f"a template needs {NAMESPACE} where the name is")
        return text

    def holds(self, text: str, start: int, end: int) -> bool:
        """Return whether the template is around the name that is in a text from `start` to `end`."""
        name, parts = text[start:end], self.template.split(NAMESPACE)
        return any(
            text.endswith(name.join(parts[:at]), 0, start) and text.startswith(name.join(parts[at:]), end)
            for at in range(1, len(parts))
        )


RULES = TypeAdapter(list[RewriteRule])
"""The content of a file of such rules."""
