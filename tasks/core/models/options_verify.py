"""What a person can ask of a verification: which backups, and how closely."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from kubeferry.tasks.core.models.options import NoSecret, OptionalName


class VerifyOptions(BaseModel):
    """Which backups to prove; no cluster is needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True)

    store: str = ""
    """file:///folder or s3://bucket/prefix?endpoint=...&region=...; empty: a folder of the user's data."""

    backup: OptionalName = ""
    """Name of the backup; empty: the newest ones."""

    newest: Annotated[int, Field(ge=1, le=1000)] = 3
    """How many of the newest backups, when none is named."""

    deep: bool = False
    """Also each object in the archive, one by one."""

    identities: list[NoSecret] = Field(default_factory=list)
    """Paths of files of secret keys that open encrypted backups: of age, or SSH; else their order is not seen."""
