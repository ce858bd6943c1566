"""The field managers of an object: who applied what (managedFields), at backup, and how a restore gives it back.

A field belongs to whoever wrote it last (kubernetes.io: Server-Side Apply, field management). If a restore owned all
that it creates, the next apply of the real owner would be refused as a conflict, and what that no longer has would
stay. So an object is created under the name of its own manager, and the entries of those who applied it are written
back afterwards. The restore's own entry covers one annotation that no object has: it names the restore, by which `undo`
and `delete` know what they may revert, and owns nothing.

An entry is a map as in metadata.managedFields: manager, operation, apiVersion, time, fieldsType, fieldsV1, subresource.
Entries of a backup are untrusted: what has another shape, and what claims to be of a restore, is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.kube.objects import field_managers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object

Entry = dict[str, Any]

OWN = "kubeferry"
"""What the names of Kubeferry's own managers begin with."""

UNKNOWN = "before-first-apply"
"""The manager of an object of which nobody is known: what the API server calls that one (KEP-555)."""

MARK: Mapping[str, Any] = {"f:metadata": {"f:annotations": {"f:kubeferry.io/restored": {}}}}
"""The fields of a restore's own entry."""

LONGEST = 128
"""Most characters of a manager's name (apimachinery: ValidateManagedFields)."""

OWNERS, UID = "f:ownerReferences", 'k:{"uid":"'


def mark(manager: str, api_version: str) -> Entry:
    """Return the entry of a restore for an object that it creates.

    It has no time: that of the API server is not known yet (core/plan/reversal.py).
    """
    return {
        "manager": manager,
        "operation": "Update",
        "apiVersion": api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": dict(MARK),
    }


def saved(obj: Object) -> tuple[Entry, ...]:
    """Return what a backup keeps of the managers of a live object.

    All entries if somebody applied it. Otherwise only the names: of the one who wrote most of it, and of the one who
    wrote its status; that is what creating it again needs.
    """
    entries = [each for each in field_managers(obj) if is_entry(each)]
    if any(each["operation"] == "Apply" for each in entries):
        return tuple({name: each[name] for name in each if name in _FIELDS} for each in entries)
    return tuple(
        {"manager": each["manager"], "operation": "Update"} | ({"subresource": at} if at else {})
        for at in ("", "status")
        if (each := _largest(one for one in entries if one.get("subresource", "") == at))
    )


_FIELDS = frozenset({"manager", "operation", "apiVersion", "time", "fieldsType", "fieldsV1", "subresource"})


def is_entry(value: Any) -> bool:
    """Return whether a value is an entry of somebody else; fieldsV1 may be missing."""
    if not isinstance(value, dict):
        return False
    name = value.get("manager")
    texts = (value.get(field, "") for field in ("apiVersion", "time", "subresource"))
    return (
        isinstance(name, str)
        and 0 < len(name) <= LONGEST
        and name.isprintable()
        and not name.startswith(OWN)
        and value.get("operation") in ("Apply", "Update")
        and all(isinstance(text, str) for text in texts)
        and isinstance(value.get("fieldsV1", {}), dict)
    )


def _largest(entries: Iterable[Entry]) -> Entry | None:
    found = [*entries]
    return max(found, key=lambda each: len(str(each.get("fieldsV1"))), default=None) if len(found) != 1 else found[0]


def applied(entries: Iterable[Entry]) -> bool:
    """Return whether somebody applied the object, so that its entries are given back."""
    return any(each["operation"] == "Apply" for each in entries)


def content_manager(entries: Iterable[Entry]) -> str:
    """Return the manager to create an object under: the one who wrote most of it."""
    return _named(entries, "")


def status_manager(entries: Iterable[Entry]) -> str:
    """Return the manager to write the status of an object under."""
    return _named(entries, "status")


def _named(entries: Iterable[Entry], at: str) -> str:
    found = [each for each in entries if each.get("subresource", "") == at and each["operation"] == "Update"]
    largest = _largest(found)
    return str(largest["manager"]) if largest else UNKNOWN


def given_back(live: Object, entries: Iterable[Entry], uids: Mapping[str, str]) -> list[Entry] | None:
    """Return the managedFields of a live object as its managers left them; None if they are so already.

    What a restore wrote goes to the manager that the object was created under, or to nobody where its managers have
    applied it: then their own entries come back. Entries of the target's controllers stay.

    Args:
        live: the object, with the entries of the restore.
        entries: those of the original (`saved`), or of the object before the restore changed it.
        uids: uid of an owner on the source cluster → its uid on the target.
    """
    there = field_managers(live)
    ours = [each for each in there if str(each.get("manager")).startswith(OWN) and each.get("fieldsV1") != MARK]
    marks = [each for each in there if each.get("fieldsV1") == MARK]
    whole = [each for each in entries if "fieldsV1" in each]
    if not (ours or whole):
        return None
    latest = max((str(each["time"]) for each in there if each.get("time")), default="")
    others = [each for each in there if each not in ours and each not in marks]
    content = [each for each in ours if not each.get("subresource")]
    if whole:
        own = {_key(each) for each in whole} | {(UNKNOWN, "Update", ""), (content_manager(entries), "Update", "")}
        others = [each for each in others if _key(each) not in own]
        others += [_of_target(each, live, latest, uids) for each in whole if each.get("subresource", "") == ""]
    elif content:
        others = [*_joined(others, content, content_manager(entries))]
    named = {str(each["manager"]): each for each in (*marks, *ours) if str(each["manager"]) != OWN}
    return [*others, *(mark(name, each["apiVersion"]) | _at(latest) for name, each in named.items())]


def _key(entry: Entry) -> tuple[str, str, str]:
    return str(entry["manager"]), str(entry["operation"]), str(entry.get("subresource", ""))


def _at(time: str) -> Entry:
    return {"time": time} if time else {}


def _of_target(entry: Entry, live: Object, latest: str, uids: Mapping[str, str]) -> Entry:
    # No entry may be younger than what the restore wrote: that would look like an edit of somebody else.
    time = min(filter(None, (str(entry.get("time", "")), latest)), default="")
    version = entry.get("apiVersion") or live["apiVersion"]
    fields = {"fieldsType": "FieldsV1", "fieldsV1": _relinked(entry["fieldsV1"], uids)}
    return {"manager": entry["manager"], "operation": entry["operation"], "apiVersion": version} | _at(time) | fields


def _relinked(fields: Entry, uids: Mapping[str, str]) -> Entry:
    """Return fields with the owners' uids of the target; owners that are not there are left out."""
    meta = fields.get("f:metadata")
    owners = meta.get(OWNERS) if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(owners, dict):
        return fields
    kept = dict(_owners(owners, uids))
    rest = {name: value for name, value in meta.items() if name != OWNERS}
    return fields | {"f:metadata": rest | ({OWNERS: kept} if kept.keys() - {"."} else {})}


def _owners(owners: Entry, uids: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    for key, value in owners.items():
        old = key.removeprefix(UID).removesuffix('"}')
        if old == key:
            yield key, value
        elif old in uids:
            yield f'{UID}{uids[old]}"}}', value


def _joined(others: list[Entry], content: list[Entry], manager: str) -> Iterator[Entry]:
    """Yield the entries, that of the content's manager with the fields that the restore wrote later."""
    fields: Entry = {}
    for each in content:
        fields = _union(fields, each.get("fieldsV1") or {})
    found = False
    for each in others:
        if _key(each) == (manager, "Update", ""):
            found = True
            yield each | {"fieldsV1": _union(each.get("fieldsV1") or {}, fields)}
        else:
            yield each
    if not found:
        yield {**content[0], "manager": manager, "operation": "Update", "fieldsType": "FieldsV1", "fieldsV1": fields}


def _union(one: Entry, two: Entry) -> Entry:
    found = dict(one)
    for key, value in two.items():
        found[key] = (
            _union(found[key], value) if isinstance(found.get(key), dict) and isinstance(value, dict) else value
        )
    return found
