"""Write and read the records of migrations in a store. A store is not trusted: fields and names are validated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from kubeferry.tasks.core.errors import BackupNotFoundError, DamagedError, KeyMissingError, UsageError
from kubeferry.tasks.core.formats.layout import MigrationKeys, check_name
from kubeferry.tasks.core.formats.migration import End, Header, Source

if TYPE_CHECKING:
    from kubeferry.tasks.ports.store.base import Store

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class StoredMigration:
    """A migration in a store, as it was read; it has no source until its backup is complete."""

    header: Header
    source: Source | None
    ends: dict[str, End] = field(default_factory=dict)


def begin(store: Store, header: Header) -> None:
    """Write the header of a new migration, which reserves its name.

    Raises:
        UsageError: there is a migration of this name.
    """
    if not store.put_new(MigrationKeys(header.name).header, _bytes(header)):
        message = f"migration {header.name} exists already in {store.url}"
        raise UsageError(f"{message}: choose another --name, or --resume it")


def write_source(store: Store, name: str, source: Source) -> None:
    """Write the source: what was backed up."""
    store.put(MigrationKeys(name).source, _bytes(source))


def write_end(store: Store, name: str, end: End) -> None:
    """Write the end of a namespace."""
    store.put(MigrationKeys(name).end(end.namespace), _bytes(end))


def open_migration(store: Store, name: str, *, ends: bool = True) -> StoredMigration:
    """Return migration `name`, with the `ends` of its namespaces unless `ends` is False.

    Raises:
        BackupNotFoundError: there is no migration of this name.
        DamagedError: a file is not valid.
    """
    keys = MigrationKeys(check_name(name))
    header = _read(store, keys.header, Header, name)
    if header is None:
        raise BackupNotFoundError(f"no migration {name} in {store.url}")
    if header.name != name:
        raise DamagedError(f"migration {name}: its header is that of migration {header.name[:80]!r}")
    source = _read(store, keys.source, Source, name)
    listed = [each.key for each in store.list(keys.ends)] if ends else []
    found = (_read(store, key, End, name) for key in listed)
    return StoredMigration(header, source, {each.namespace: each for each in found if each})


def read_end(store: Store, name: str, namespace: str) -> End | None:
    """Return the end of a namespace, None if it is not written yet."""
    return _read(store, MigrationKeys(name).end(namespace), End, name)


def _bytes(value: BaseModel) -> bytes:
    return value.model_dump_json().encode()


def _read(store: Store, key: str, model: type[M], name: str) -> M | None:
    try:
        return model.model_validate_json(store.get(key))
    except KeyMissingError:
        return None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:200]
        file = key.rpartition("/")[2]
        raise DamagedError(f"migration {name}: its {file} is damaged at {where!r}: {first['msg']}") from None
