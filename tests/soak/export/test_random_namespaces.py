"""Random namespaces go through an export: installed from its chart, each is what was backed up.

Two oracles, and neither knows of charts: Kubeferry's own diff, and the templates that the namespaces were made of
(random_markers.py), which say what each string with a name or an address has to be. KUBEFERRY_SEED repeats a run,
KUBEFERRY_NAMESPACES makes it smaller.
"""

import collections
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass

import pytest
from tests.support.bench import A, B
from tests.support.charts import ALWAYS, HelmError, differences, listed, unexplained
from tests.support.random_making import RandomNamespace, define_gadgets, free, make, snapshot
from tests.support.random_markers import FIXED, MARKER, Values, at, marked, path_of
from tests.support.random_namespaces import drafted
from tests.support.yaml_documents import documents as read
from tests.support.yaml_documents import of_folder

from kubeferry.flows.export import export
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.options_export import ExportOptions
from kubeferry.tasks.diff.compare import compared

pytestmark = [pytest.mark.exclusive, pytest.mark.soak(minutes=1, setup=2)]

SEED = os.environ["KUBEFERRY_SEED"]
NAMESPACES = int(os.environ.get("KUBEFERRY_NAMESPACES", "100"))
TEN = 10


@dataclass
class Group:
    """Some namespaces on the first cluster, all that it holds, and one backup of them."""

    namespaces: list
    before: object
    saved: object


@pytest.fixture(scope="module")
def custom(bench):
    """The group of the namespaces' custom resources."""
    group = bench.crd(bench.name("random"))
    define_gadgets(bench, group)
    for plural in ("widgets", "gadgets"):
        bench.forget("CustomResourceDefinition", f"{plural}.{group}")
    return group


@pytest.fixture(scope="module", params=range(0, NAMESPACES, TEN), ids=lambda first: f"from-{first}")
def group(request, bench, custom):
    numbers, stem = range(request.param, min(request.param + TEN, NAMESPACES)), bench.name("rnd")
    names = [f"{stem}-{number}" for number in numbers]
    bench.namespaces |= {*names}
    print(f"seed {SEED}, namespaces {numbers[0]} to {numbers[-1]}")
    made = [
        RandomNamespace(name, names[index - 1], drafted(SEED, number, custom))
        for index, (name, number) in enumerate(zip(names, numbers, strict=True))
    ]
    before = make(bench.clusters[A], made)
    yield Group(made, before, bench.backup(*names))
    free(bench, made)


def fail(wrong):
    """Fail with the seed and the first of many faults."""
    if wrong:
        lines = "\n".join(str(each) for each in wrong[:40])
        pytest.fail(f"seed {SEED}: {len(wrong)} faults\n{lines}", pytrace=False)


def exported(bench, saved, ns, out, form):
    asked = {"backup": saved.name, "namespaces": [ns], "out": str(out), "format": form, "secrets": "include"}
    return bench.as_one(export, ExportOptions(context=A, **asked, **bench.where))


def test_kustomize_renders_the_plain_files_of_each(group, bench, kubectl, sandbox_env, tmp_path):
    wrong = []
    for ns in group.namespaces:
        plain, out = tmp_path / f"{ns.name}-plain", tmp_path / f"{ns.name}-kustomize"
        results = [exported(bench, group.saved, ns.name, *each) for each in ((plain, "yaml"), (out, "kustomize"))]
        wrong += [each for result in results for each in result.problems]
        objects = of_folder(plain)
        rendered = read(kubectl(sandbox_env, "kustomize", str(out / "overlays/default")))
        wrong += [key for key in {*objects, *rendered} if objects.get(key) != rendered.get(key)]
    fail(wrong)


def test_the_chart_of_each_is_the_namespace(group, bench, helm, tmp_path):
    copies, results, wrong, began = {}, {}, [], time.monotonic()
    for ns in group.namespaces:
        copy, out = bench.name("new"), tmp_path / ns.name
        result = exported(bench, group.saved, ns.name, out, "helm")
        try:
            helm("install", "rnd", out, "--namespace", copy, "--create-namespace", "--wait", "--timeout", "120s")
        except HelmError as error:
            wrong.append((ns.name, str(error)))
            continue
        copies[ns.name], results[ns.name] = copy, result
        asked = {"backup": group.saved.name, "context": B, "namespaces": [ns.name], "map": {ns.name: copy}}
        found = compared(RestoreOptions(**asked, **bench.where), with_diff=False)
        notes = (out / "templates/NOTES.txt").read_text()
        known = [*ALWAYS, *listed(result, notes, copy), *set_by_hand(result)]
        absent = [f" {ns.peer}/", *(f"{ref.type} {copy}/{ref.name} " for ref in left_out(result))]
        problems = [each for each in found.problems if not any(one in each.why for one in absent)]
        wrong += [(ns.name, each) for each in [*problems, *unexplained(differences(found), known)]]
    print(f"{len(copies)} charts in {time.monotonic() - began:.0f} s")
    after, seen = snapshot(bench.clusters[B]), collections.Counter()
    for ns in group.namespaces:
        if ns.name in copies:
            wrong += uses(ns, group.before, after, copies[ns.name], results[ns.name], seen)
            helm("uninstall", "rnd", "--namespace", copies[ns.name])
    print(", ".join(f"{count} {what}" for what, count in sorted(seen.items())))
    fail(wrong)


def left_out(result):
    """Return the objects that a chart does not install, as its result says: their uids cannot be looked up."""
    return [Ref.parse(each.what) for each in result.problems]


def set_by_hand(result):
    """Yield patterns of the values that a chart asks for, as the result lists them; an owner is not one of them."""
    for each in result.dynamic:
        ref = Ref.parse(each.object)
        parts = [part.replace("~1", "/").replace("~0", "~") for part in each.path.strip("/").split("/")]
        path = path_of([int(part) if part.isdigit() else part for part in parts])
        yield rf"^{re.escape(f'{ref.type} {ref.name} {path}')}$"
    for each in result.unowned:
        ref = Ref.parse(each.what)
        yield rf"^{re.escape(f'{ref.type} {ref.name}')} metadata\.ownerReferences"


# --- each string, from the templates that the namespace was made of


def uses(ns, before, after, copy, result, seen):
    """Yield each string on the second cluster that is not what its template says.

    What names the namespace follows it. An address or a uid is that of the source, where the result lists the object,
    or that of the second cluster.
    """
    old, new = Values(before, ns.name, ns.peer), Values(after, copy, ns.peer)
    missing = {(ref.kind, ref.name) for ref in left_out(result)}
    asked = {(Ref.parse(each.object).kind, Ref.parse(each.object).name) for each in result.dynamic}
    for template in ns.templates:
        key = template["kind"], template["metadata"]["name"]
        if key in missing:
            continue
        for place, text in marked(template):
            if "ownerReferences" in place:
                continue
            live = [each for each in MARKER.findall(text) if each.removeprefix("peer|") not in FIXED]
            try:
                found = at(after.namespaces[copy][key], place)
            except LookupError:
                yield ns.name, *key, path_of(place), "is not there"
                continue
            seen["live" if live else "of names"] += 1
            if not re.fullmatch(pattern(text, old, new), found):
                yield ns.name, *key, path_of(place), text, "is", found
            if any(old(each) in found for each in live if not each.startswith("frozen")) and key not in asked:
                yield ns.name, *key, path_of(place), found, "holds a value of the source, which no row says"


def pattern(text, old, new):
    """Return a pattern of what a text may be."""
    parts = MARKER.split(text)
    return "".join(re.escape(part) if number % 2 == 0 else one(part, old, new) for number, part in enumerate(parts))


def one(marker, old, new):
    """Return a pattern of what a marker may be."""
    if marker in ("ns", "word"):
        return re.escape(new.namespace if marker == "ns" else old.namespace)
    worth = [old(marker)]
    if not marker.startswith(("peer", "frozen")):
        with suppress(LookupError):  # nothing of it is live there: the value of the source stays
            worth.append(new(marker))
    return f"(?:{'|'.join(map(re.escape, worth))})"
