"""A fuzzer of the archive reader: whatever is done to a real archive, it is read, or refused in one line, and no more.

It knows the structure: what it spoils are values of an object's JSON, members of the tar, bytes of the tar and of the
gzip, lines of the links and bindings, the manifest and the Backup object, each inside sound layers with digests that
fit. More of it: `KUBEFERRY_FUZZ=100000 pytest tests/faults/test_fuzz_archives.py -s` prints what came out.
"""

import copy
import gzip
import os
from collections import Counter

import orjson
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from tests.faults.hostile import Forge, entry, tar
from tests.faults.hostile_beside import BINDING
from tests.faults.hostile_samples import RELEASE, release, samples

from kubeferry.flows.console import plan_table
from kubeferry.flows.console.plan_page import page
from kubeferry.tasks.core.errors import KubeferryError
from kubeferry.tasks.core.jsondoc.printable import as_json, as_yaml
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.plan.document import document
from kubeferry.tasks.core.plan.kubectl.script import script
from kubeferry.tasks.core.plan.order_check import order_faults
from kubeferry.tasks.plan.offline import planned

EXAMPLES = int(os.environ.get("KUBEFERRY_FUZZ", "120"))
SAMPLES = samples()
COUNTS = Counter()
"""What came out: layer and outcome."""

WORDS = ["", "shop", "web", "x", "null", "..", "../x", "/", "~1", "1e3", "10.0.0.1", "$(x)", "*", "a" * 300]
WORDS += ["\x1b[2J", "\u202e"]
KEYS = [*WORDS, "name", "namespace", "kind", "key", "values", "matchLabels"]
LEAVES = st.sampled_from([None, True, False, 0, -1, 1, 2**63, 1.5, *WORDS]) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=4,
)


def places(value, at=()):
    """The places of all parts of a JSON value but itself."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in ((*at, key), *places(item, (*at, key)))]


@st.composite
def spoilt(draw, value):
    """A JSON value with up to three parts replaced, removed, added or put somewhere else."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        there = places(value)
        if not there:
            return draw(VALUES)
        *way, last = draw(st.sampled_from(there))
        holder = value
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"])):
            case "replace":
                holder[last] = draw(VALUES)
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(WORDS))] = draw(VALUES)
            case _:
                holder.append(draw(VALUES)) if isinstance(holder, list) else None
    return value


@st.composite
def mangled(draw, data):
    """Bytes with up to four places overwritten, cut out, put in or doubled."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        size = draw(st.sampled_from([1, 1, 2, 8, 512, 1024]))
        match draw(st.sampled_from(["over", "over", "cut", "in", "double", "end"])):
            case "over":
                new = draw(st.binary(min_size=1, max_size=8))
                data = data[:at] + new + data[at + len(new) :]
            case "cut":
                data = data[:at] + data[at + size :]
            case "in":
                data = data[:at] + draw(st.binary(max_size=8) | st.just(bytes(512))) + data[at:]
            case "double":
                data = data[:at] + data[at : at + size] * 2 + data[at + size :]
            case "end":
                data = data[:at]
    return data


@st.composite
def members(draw, entries):
    """Members of a tar in which some come twice, in another order, under other names or as something else."""
    made = list(entries)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(made) - 1)) if made else 0
        path, data = made[at] if made and not isinstance(made[at], bytes) else ("x", b"")
        match draw(st.sampled_from(["twice", "drop", "last", "rename", "header", "raw", "data"])):
            case "twice":
                made.insert(draw(st.integers(0, len(made))), (path, data))
            case "drop":
                del made[at : at + 1]
            case "last":
                made.append(made.pop(at)) if made else None
            case "rename":
                parts = path.split("/")
                parts[draw(st.integers(0, len(parts) - 1))] = draw(st.sampled_from(WORDS) | st.text(max_size=5))
                made[at : at + 1] = [("/".join(parts), data)]
            case "header":
                made.insert(at, forged(draw, tar([(path, data)], version=None, closing=b"")))
            case "raw":
                made.insert(at, draw(st.binary(max_size=20)).ljust(512, b"\0"))
            case "data":
                made[at : at + 1] = [(path, draw(mangled(data)))]
    return made


def forged(draw, whole):
    """An entry with bytes of its header overwritten, and the checksum that it then has."""
    block = bytearray(whole[:512])
    for _ in range(draw(st.integers(1, 3))):
        block[draw(st.integers(0, 511))] = draw(st.integers(0, 255))
    block[156] = draw(st.sampled_from([block[156], *b"0123456789xgLKSX"]))
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + 256 + sum(block[156:]))
    return bytes(block) + whole[512:]


@st.composite
def backups(draw):
    """A layer, and how a spoilt backup is stored: `store(forge, name)`."""
    some = draw(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=5, unique_by=id))
    entries = [entry(obj) for obj in some]
    layer = draw(st.sampled_from([*LAYERS]))
    return layer, LAYERS[layer](draw, some, entries), draw(st.sampled_from([{}, {"shop": "copy"}]))


def stored(draw, entries, **parts):
    """Store it as ours or as Velero's."""
    ours = draw(st.booleans())
    return lambda forge, name: (forge.ours if ours else forge.velero)(name, entries, **parts)


def in_json(draw, some, entries):
    obj = draw(st.sampled_from(some))
    named = draw(st.sampled_from([("apiVersion", "kind", "metadata"), ("apiVersion", "kind"), ()]))
    kept = {key: value for key, value in obj.items() if key in named}
    made = draw(spoilt({key: value for key, value in obj.items() if key not in kept}))
    data = orjson.dumps(kept | made if isinstance(made, dict) else made)
    return stored(draw, [*(each for each in entries if each[0] != entry(obj)[0]), (entry(obj)[0], data)])


def in_helm(draw, _some, entries):
    held = [each for each in entries if "helm" not in each[0]]
    return stored(draw, [*held, entry(release(draw(spoilt(RELEASE))))])


def in_members(draw, _some, entries):
    return stored(draw, draw(members(entries)))


def in_tar(draw, _some, entries):
    return stored(draw, entries, tarball=gzip.compress(draw(mangled(tar(entries))), 1))


def in_gzip(draw, _some, entries):
    return stored(draw, entries, tarball=draw(mangled(gzip.compress(tar(entries), 1))))


def in_links(draw, some, entries):
    meta = some[0]["metadata"]
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u", "controller": True}
    line = {"ref": ["", some[0]["kind"], meta.get("namespace", ""), meta["name"]], "uid": "u", "owners": [owner]}
    line |= {"addresses": {"/status/podIP": "10.0.0.7"}, "notReady": "why"}
    value = draw(spoilt(line))
    return lambda forge, name: forge.ours(name, entries, links=[value])


def in_bindings(draw, some, entries):
    line = orjson.loads(orjson.dumps(BINDING).replace(b'"NS"', b'"shop"'))
    meta = some[0]["metadata"]
    line["object"] = ["", some[0]["kind"], meta.get("namespace", ""), meta["name"]]
    value = draw(spoilt(line))
    return lambda forge, name: forge.ours(name, entries, bindings=[value])


def in_manifest(draw, _some, entries):
    return lambda forge, name: forge.ours(name, entries, change=lambda found: draw(spoilt(found)))


def in_backup(draw, _some, entries):
    return lambda forge, name: forge.velero(name, entries, change=lambda found: draw(spoilt(found)))


LAYERS = {
    "json": in_json,
    "helm": in_helm,
    "members": in_members,
    "tar": in_tar,
    "gzip": in_gzip,
    "links": in_links,
    "bindings": in_bindings,
    "manifest": in_manifest,
    "backup": in_backup,
}


def look(url, names):
    """Do with a backup all that needs no cluster; what is printed does nothing to a terminal."""
    with planned(RestoreOptions(backup="fuzz", store=url, map=names)) as made:
        order_faults(made.parts)
        plan = document(made.parts)
        value = plan.model_dump(mode="json")
        for text in (*plan_table.lines(plan), as_json(value), as_yaml(value)):
            assert text.replace("\n", "").isprintable()
        page(plan)
        for _ in script(made.parts, made.body, made.whole):
            pass


@pytest.fixture(scope="module")
def forge(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBEFERRY_HOME", str(tmp_path_factory.mktemp("home")))
        yield Forge(tmp_path_factory.mktemp("fuzz"))
    if "KUBEFERRY_FUZZ" in os.environ:
        print("\n" + "\n".join(f"{count:7} {layer}: {outcome}" for (layer, outcome), count in sorted(COUNTS.items())))


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(made=backups())
def test_it_is_read_or_refused_in_one_line(forge, made):
    layer, store, names = made
    store(forge, "fuzz")
    try:
        look(forge.root.as_uri(), names)
        outcome = "read"
    except KubeferryError as error:
        outcome = type(error).__name__
        message = str(error)
        assert "\n" not in message
        assert message.isprintable(), message
        assert len(message) < 1000
        assert names or message.startswith("backup fuzz: "), message
    COUNTS[layer, outcome] += 1
    event(f"{layer}: {outcome}")
