"""What comes late is patched in or taken out, at the place where it is by then."""

from copy import deepcopy

from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.plan.late_values import Dropped, patch, pointer_of, steps_of, without_fields


def applied(obj, operations):
    """Apply a JSON patch (RFC 6902: add, replace, remove, test) as an API server would."""
    for each in operations:
        *way, last = steps_of(each["path"])
        parent = obj
        for step in way:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        key = int(last) if isinstance(parent, list) else last
        if each["op"] == "test":
            assert parent[key] == each["value"], each
            continue
        if each["op"] in ("replace", "remove"):
            assert parent[key] is not None
        if each["op"] == "remove":
            del parent[key]
        else:
            parent[key] = each["value"]
    return obj


def test_a_patch_puts_the_values_in_and_tests_what_it_changes():
    def deployment(value, **data):
        return {
            "spec": {"containers": [{"name": "a"}, {"name": "web", "env": [{"name": "DB", "value": value}]}]},
            "metadata": {"annotations": data} if data else {},
        }

    wanted, created = deployment("10.1.1.1", ip="10.1.1.2", **{"x/y": "z"}), deployment("192.0.2.1")
    pointers = ["/spec/containers/1/env/0/value", "/metadata/annotations/ip", "/metadata/annotations/x~1y"]
    operations = patch(created, wanted, pointers)
    assert operations == [
        {"op": "test", "path": "/spec/containers/1/name", "value": "web"},
        {"op": "test", "path": "/spec/containers/1/env/0/name", "value": "DB"},
        {"op": "test", "path": pointers[0], "value": "192.0.2.1"},
        {"op": "replace", "path": pointers[0], "value": "10.1.1.1"},
        {"op": "add", "path": "/metadata/annotations", "value": {}},
        {"op": "add", "path": pointers[1], "value": "10.1.1.2"},
        {"op": "add", "path": pointers[2], "value": "z"},
    ]
    assert applied(created, operations) == wanted
    assert patch(wanted, wanted, pointers) == []


TEXT = st.text(st.sampled_from("ab/~0 "), min_size=1, max_size=4)
DATA = st.dictionaries(TEXT, TEXT, max_size=4)
ROLES = st.lists(st.sampled_from(["plain", "late", "gone before", "goes now"]), max_size=8)


@given(DATA, st.data())
def test_what_is_left_out_comes_back_by_the_patch(data, draw):
    wanted = {"data": data}
    pointers = (
        [pointer_of(["data", key]) for key in draw.draw(st.sets(st.sampled_from(sorted(data)))) if data] if data else []
    )
    created = without_fields(wanted, pointers)
    if not created["data"]:
        del created["data"]  # as the API server stores it
    assert applied({**created}, patch(created, wanted, pointers)).get("data", {}) == data


def listed(roles):
    """Return a list of strings as it is meant, as it was created, and as it is to be in the end."""
    wanted = [f"{role} {number}" for number, role in enumerate(roles)]
    created = [
        text if role == "plain" else f"placeholder {number}"
        for number, (text, role) in enumerate(zip(wanted, roles, strict=True))
        if role != "gone before"
    ]
    return wanted, created, [text for text, role in zip(wanted, roles, strict=True) if role in ("plain", "late")]


@given(ROLES, ROLES)
def test_items_of_lists_are_removed_and_the_others_are_found_where_they_are_then(first, second):
    roles = {f"/spec/{at}/{n}": role for at, some in (("a", first), ("b", second)) for n, role in enumerate(some)}
    wanted, created, left = (
        {"spec": {"a": one, "b": two}} for one, two in zip(listed(first), listed(second), strict=True)
    )
    by_role = {
        role: frozenset(at for at, each in roles.items() if each == role)
        for role in ("late", "gone before", "goes now")
    }
    dropped = Dropped(by_role["gone before"], by_role["goes now"])
    operations = patch(created, wanted, sorted(by_role["late"] | by_role["goes now"]), dropped, deepcopy(created))
    assert applied(deepcopy(created), operations) == left


def test_what_is_removed_is_tested_first_and_only_what_was_written_is_removed():
    def widget(env, *names):
        return {"spec": {"items": [{"name": name, "env": env} for name in names], "ip": "192.0.2.1"}}

    wanted, created = widget("10.0.0.1", "a", "b"), widget("192.0.2.1", "a", "b")
    dropped = Dropped(now=frozenset({"/spec/items/1/env", "/spec/gone"}))
    assert patch(created, wanted, ["/spec/items/1/env"], dropped, created) == [
        {"op": "test", "path": "/spec/items/1/name", "value": "b"},
        {"op": "test", "path": "/spec/items/1/env", "value": "192.0.2.1"},
        {"op": "remove", "path": "/spec/items/1/env"},
    ]
    changed = widget("what somebody wrote", "a", "b")
    assert patch(changed, wanted, ["/spec/items/1/env"], dropped, created) == []
