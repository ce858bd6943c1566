"""Validate an object of an archive, which is untrusted, before any rule sees it: one place for all checks.

It must be the object that its path names, by group, kind, namespace and name, and its name must be valid. Everything
that rules rely on must have its type: every field of metadata, and the top-level fields of built-in kinds. The inside
of `spec` and similar fields is not checked: rules ignore values of another type there, and an API server refuses them.
No value is quoted in an error, since it may be secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.formats.layout import parse_member
from kubeferry.tasks.core.jsondoc.edit import Object, group_of
from kubeferry.tasks.core.jsondoc.encoding import check_depth, parse
from kubeferry.tasks.core.jsondoc.limits import MAX_DEPTH, MAX_OBJECT
from kubeferry.tasks.core.kube.kinds import BUILT_IN, GROUP_OF_KIND, is_built_in, plural_of
from kubeferry.tasks.core.kube.objects import is_segment, is_subdomain

if TYPE_CHECKING:
    from kubeferry.tasks.core.formats.layout import Member

ApiVersion = Annotated[
    str, StringConstraints(pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
]
Kind = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]{0,62}$")]

_NAMED_FREELY = {"rbac.authorization.k8s.io", "apiregistration.k8s.io"}
"""Built-in groups whose objects need no DNS name (apimachinery: ValidatePathSegmentName): `system:shop`."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", defer_build=True, alias_generator=to_camel)


class _Owner(_Model):
    api_version: ApiVersion
    kind: Kind
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class _Metadata(_Model):
    """The fields of ObjectMeta (API reference v1.36) with their types."""

    name: str = Field(min_length=1)
    namespace: str | None = None
    generate_name: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    self_link: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None
    owner_references: list[_Owner] | None = None
    managed_fields: list[dict[str, Any]] | None = None


class _Object(_Model):
    api_version: ApiVersion
    kind: Kind
    metadata: _Metadata


class _BuiltIn(_Object):
    """The top-level fields of built-in kinds; some servers write null for an empty list."""

    spec: dict[str, Any] = {}
    status: dict[str, Any] | None = None
    data: dict[str, Any] | None = None
    binary_data: dict[str, str] | None = None
    string_data: dict[str, str] | None = None
    type: str | None = None
    immutable: bool | None = None
    rules: list[dict[str, Any]] | None = None
    role_ref: dict[str, Any] | None = None
    subjects: list[dict[str, Any]] | None = None
    aggregation_rule: dict[str, Any] | None = None
    secrets: list[dict[str, Any]] | None = None
    image_pull_secrets: list[dict[str, Any]] | None = None
    subsets: list[dict[str, Any]] | None = None
    endpoints: list[dict[str, Any]] | None = None
    ports: list[dict[str, Any]] | None = None
    webhooks: list[dict[str, Any]] | None = None
    template: dict[str, Any] | None = None


class _WithTexts(_BuiltIn):
    """A Secret or a ConfigMap."""

    data: dict[str, str] | None = None


_MODELS: dict[tuple[str, str], type[_Object]] = {("", "Secret"): _WithTexts, ("", "ConfigMap"): _WithTexts}


def validated(data: bytes, place: Member) -> Object:
    """Parse and validate the object at `place` in an archive.

    Raises:
        DamagedError: it is not JSON, not a Kubernetes object, or not the one that `place` names; the message is the
            cause alone, such as "holds another object than its path names".
    """
    value = parse(data)
    if not isinstance(value, dict):
        raise DamagedError("holds no Kubernetes object")
    _check(value, place)
    return value


def _check(obj: Object, place: Member) -> None:
    """Check that `obj` is a Kubernetes object, and the one that `place` names."""
    if not isinstance(obj.get("metadata"), dict):
        raise DamagedError("holds no Kubernetes object")
    _typed(_model(obj), obj)
    group, kind, meta = group_of(obj["apiVersion"]), obj["kind"], obj["metadata"]
    named = (meta.get("namespace") or "", meta["name"])
    if named != (place.namespace, place.name) or not _is_of(group, kind, place):
        raise DamagedError("holds another object than its path names")
    if not _is_name(group, kind, place.name):
        raise DamagedError("has a name that is not valid for its kind")


def validated_bytes(obj: Object, place: Member) -> bytes:
    """Return the JSON of `obj` at `place` in an archive, validated: what readers refuse is not written.

    Raises:
        DamagedError: as in `validated`, or it is too large, or its path is not allowed in an archive.
    """
    try:
        data = orjson.dumps(obj)
    except orjson.JSONEncodeError as error:  # nested too deeply to be written
        raise DamagedError(f"is nested deeper than {MAX_DEPTH} levels") from error
    if parse_member(place.path) != place or len(data) > MAX_OBJECT:
        raise DamagedError("is too large for an archive, or its path is not allowed in one")
    check_depth(data, obj)  # of all that `parse` refuses, orjson writes only this
    _check(obj, place)
    return data


def _model(obj: Object) -> type[_Object]:
    """Return the model that validates an object."""
    version, kind = obj.get("apiVersion"), obj.get("kind")
    if not (isinstance(version, str) and isinstance(kind, str) and is_built_in(group_of(version))):
        return _Object
    return _MODELS.get((group_of(version), kind), _BuiltIn)


def _typed(model: type[_Object], value: dict[str, Any]) -> None:
    try:
        model.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = "/".join(str(part) for part in first["loc"])[:200]
        raise DamagedError(f"holds no Kubernetes object: {where!r}: {first['msg']}") from None


def _is_of(group: str, kind: str, place: Member) -> bool:
    """Return whether objects of this kind belong in the folder; for custom resources only the group is checked."""
    resource, _, of = place.group_resource.partition(".")
    if of != group:
        return False
    if not is_built_in(group):
        return True
    known = BUILT_IN.get((group, kind))
    scoped = known is None or bool(place.namespace) == known.namespaced
    return _KINDS.get((group, resource), kind) == kind and resource == plural_of(kind) and scoped


_KINDS = {(group, found.plural): kind for (group, kind), found in BUILT_IN.items()}
"""(group, plural) → the kind."""


def _is_name(group: str, kind: str, name: str) -> bool:
    free = GROUP_OF_KIND.get(kind) != group or group in _NAMED_FREELY
    return is_segment(name) if free else is_subdomain(name)
