"""The type of a value that is stored with a run and must be no secret: what is refused is never quoted."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from kubeferry.tasks.core.formats.recipients import SECRET_KEY, is_secret

UNQUOTED = "unquoted"
"""pydantic's type of the error whose input is a secret key: it must never be quoted."""


def _no_secret(text: str) -> str:
    if is_secret(text):
        raise PydanticCustomError(UNQUOTED, "a secret key itself must not be given, only the path of its file")
    return text


NoSecret = Annotated[
    str,
    AfterValidator(_no_secret),
    # Prefect's server checks this before it stores the parameters of a run.
    Field(json_schema_extra={"not": {"pattern": SECRET_KEY}}),
]
"""A value that is stored with a run and shown: a public key, or a path."""
