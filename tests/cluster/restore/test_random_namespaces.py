"""Random namespaces go to another cluster under other names: every use of an address, uid or name is right there.

Nothing of the proof is Kubeferry's own reasoning about values: what a string must be on the target follows from the
template that the original was made of (random_markers.py). A few of them are in the tier `cluster`, 200 in `soak`;
KUBEFERRY_SEED repeats a run, KUBEFERRY_NAMESPACES makes it smaller while something is being looked for.
"""

import collections
import json
import os
import re
import time
from dataclasses import dataclass

import pytest
from tests.support.bench import A, B
from tests.support.random_making import RandomNamespace, define_gadgets, free, make, refs, snapshot
from tests.support.random_markers import MARKER, Values, at, marked, path_of, render
from tests.support.random_namespaces import drafted
from tests.support.random_scan import found_in, old_values
from tests.support.untold import Said, untold

from kubeferry.flows.demo import left_out
from kubeferry.tasks.core.compare.restored import findings
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.jsondoc.edit import group_of
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.diff.compare import compared

pytestmark = pytest.mark.exclusive

SEED = os.environ["KUBEFERRY_SEED"]
NAMESPACES = int(os.environ.get("KUBEFERRY_NAMESPACES", "200"))
FEW = 6
BATCH = 50
"""Namespaces of one backup."""
SECONDS = 180
"""How long a level of a restore may take: it is one of dozens of namespaces at once."""


@dataclass
class Moved:
    """All namespaces before and after, with what the flows answered."""

    seed: str
    namespaces: list
    names: dict
    before: object
    after: object
    results: dict
    """Namespace → the backup and the restore that it was in."""

    @property
    def batches(self):
        return len({id(saved) for saved, _ in self.results.values()})

    def pairs(self):
        """Yield each namespace with what its markers are worth on both clusters."""
        for ns in self.namespaces:
            old = Values(self.before, ns.name, ns.peer)
            yield ns, old, Values(self.after, self.names[ns.name], self.names[ns.peer], old)


@pytest.fixture(scope="module", params=[FEW, pytest.param(NAMESPACES, marks=pytest.mark.soak(setup=8))])
def moved(request, bench):
    seed, number_of = SEED, request.param
    timed = timer(f"seed {seed}")
    group = bench.crd(bench.name("random"))
    define_gadgets(bench, group)
    for plural in ("widgets", "gadgets"):
        bench.forget("CustomResourceDefinition", f"{plural}.{group}")
    stem = bench.name("rnd")
    old = [f"{stem}-{number}" for number in range(number_of)]
    names = {name: name.replace("rnd-", "new-") for name in old}
    bench.namespaces |= {*names, *names.values()}
    batches = [old[start : start + BATCH] for start in range(0, number_of, BATCH)]
    namespaces = [
        RandomNamespace(name, batch[index - 1], drafted(seed, old.index(name), group))
        for batch in batches
        for index, name in enumerate(batch)
    ]
    for ns in namespaces:
        bench.make(OUTSIDE.format(ns=ns.name), context=A)
    before = make(bench.clusters[A], namespaces)
    timed("made")
    saved = [bench.backup(*batch) for batch in batches]
    timed("backed up")
    restored = []
    for batch, each in zip(batches, saved, strict=True):
        restored.append(bench.restore(each, map={name: names[name] for name in batch}, wait_seconds=SECONDS))
    timed("restored")
    results = {
        name: pair for batch, pair in zip(batches, zip(saved, restored, strict=True), strict=True) for name in batch
    }
    yield Moved(seed, namespaces, names, before, snapshot(bench.clusters[B]), results)
    free(bench, namespaces)
    for context, some in ((A, names), (B, names.values())):
        forget_outside(bench, context, set(some))


OUTSIDE = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {{name: hook-{ns}}}
webhooks:
- name: never.example.com
  failurePolicy: Ignore
  sideEffects: None
  admissionReviewVersions: [v1]
  clientConfig: {{service: {{namespace: {ns}, name: web}}}}
  rules: [{{apiGroups: [never.example.com], apiVersions: ["*"], operations: [CREATE], resources: [nothing]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: reader-{ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {ns}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: leader-{ns}, namespace: kube-public}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}}
subjects: [{{kind: ServiceAccount, name: default, namespace: {ns}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: all-{ns}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}}
subjects: [{{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "system:serviceaccounts:{ns}"}}]
"""
"""What stands outside of a namespace and names it."""


def forget_outside(bench, context, names):
    """Delete what stands outside of the namespaces and names one of them."""
    for kind, space in OUTSIDE_KINDS:
        for each in bench.list(kind, space, context):
            if names & words(each):
                bench.delete(kind, space, each["metadata"]["name"], context)


def timer(title):
    began = time.monotonic()
    print(title)

    def timed(what):
        print(f"{time.monotonic() - began:6.1f} s {what}")

    return timed


def fail(moved, wrong):
    """Fail with the seed and the first of many faults."""
    if wrong:
        lines = "\n".join(str(each) for each in wrong[:40])
        pytest.fail(f"seed {moved.seed}: {len(wrong)} faults\n{lines}", pytrace=False)


def test_all_backups_and_restores_are_complete(moved):
    results = {id(each): each for pair in moved.results.values() for each in pair}.values()
    fail(moved, [each.problems for each in results if each.phase != Phase.COMPLETED])
    fail(moved, [each.not_ready for each in results if getattr(each, "not_ready", [])])


KINDS = {
    *("ConfigMap", "CronJob", "Deployment", "EndpointSlice", "Endpoints", "HorizontalPodAutoscaler", "Ingress", "Job"),
    *("NetworkPolicy", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget", "Role", "RoleBinding", "Secret"),
    *("Gadget", "Service", "ServiceAccount", "StatefulSet", "Widget"),
}


def test_a_seed_makes_the_same_again_and_200_namespaces_have_all_kinds():
    made = [drafted(SEED, number, "x.example.com") for number in range(200)]
    assert made[7] == drafted(SEED, 7, "x.example.com")
    assert {obj["kind"] for some in made for obj in some} == KINDS
    assert {owner["kind"] for some in made for obj in some for owner in obj["metadata"].get("ownerReferences", [])} == {
        "Deployment",
        "Widget",
    }


# --- no value of the old cluster


def test_the_search_finds_a_value_wherever_it_is_a_word():
    old = {"10.0.0.1", "bf60e555-5cac-43d6-8ad2-4450e9cd4d7f"}
    obj = {"kind": "Secret", "data": {"a": "MTAuMC4wLjE6ODA="}, "spec": [{"10.0.0.1": f"[/{max(old)}]"}, "110.0.0.1"]}
    assert found_in(obj, old)[1] == [
        ("10.0.0.1", "10.0.0.1:80"),
        ("10.0.0.1", "10.0.0.1"),
        (max(old), f"[/{max(old)}]"),
    ]
    near = ["v10.0.0.1", "10.0.0.11", f"z{max(old)}"]
    assert found_in({"kind": "ConfigMap", "data": dict.fromkeys(near, "") | {"x": near[2]}}, old)[1] == []


def test_no_string_holds_a_value_of_the_old_cluster(moved):
    old, wrong, seen = old_values(moved.before), [], 0
    assert len(old) > 20 * len(moved.namespaces)
    assert not old & old_values(moved.after)
    for name in moved.names.values():
        for ref, obj in refs(moved.after, name).items():
            count, uses = found_in(obj, old)
            seen += count
            wrong += [(str(ref), *use) for use in uses]
    print(f"{seen} strings hold none of {len(old)} values")
    fail(moved, wrong)


# --- every reference is right


def test_every_use_is_the_new_objects_value(moved):
    seen, wrong = collections.Counter(), []
    for ns, old, new in moved.pairs():
        for template in made_of(ns):
            key = template["kind"], template["metadata"]["name"]
            before = moved.before.namespaces[ns.name][key]
            after = moved.after.namespaces.get(new.namespace, {}).get(key)
            if after is None:
                wrong.append((*key, new.namespace, "is not there"))
                continue
            for place, text in marked(template):
                assert at(before, place) == render(text, old), "the original is not what it was made of"
                wanted, found = render(text, new), seek(after, place)
                seen.update(each.removeprefix("peer|").split("|")[0] for each in MARKER.findall(text))
                if found != wanted:
                    wrong.append((ns.name, *key, path_of(place), text, "is", found, "and not", wanted))
    print(", ".join(f"{count} {what}" for what, count in sorted(seen.items())))
    assert min(seen.values()) > len(moved.namespaces) // 10
    fail(moved, wrong)


def made_of(ns):
    """Yield the templates of a namespace, and those of the pods that keep their name on the other cluster."""
    for template in ns.templates:
        yield template
        if template["kind"] == "StatefulSet":
            pod = template["spec"]["template"]
            for ordinal in range(template["spec"]["replicas"]):
                meta = {**pod["metadata"], "name": f"{template['metadata']['name']}-{ordinal}"}
                yield {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod["spec"]}


def seek(obj, place):
    try:
        return at(obj, place)
    except LookupError:
        return None


# --- nothing else has changed


def test_nothing_else_differs(moved):
    seen, wrong = collections.Counter(), []
    for ns, _, new in moved.pairs():
        marks = {
            (ref_of(template, ns.name), path_of(place)) for template in made_of(ns) for place, _ in marked(template)
        }
        names = {name: moved.names[name] for name in (ns.name, ns.peer)}
        left = left_out(*moved.results[ns.name])
        for each in findings(refs(moved.before, ns.name), refs(moved.after, new.namespace), names, left):
            known = (each.ref, each.field) in marks
            seen["a use of a value" if known else each.why] += 1
            if each.why is None and not known:
                wrong.append((str(each.ref), each.text))
    print(*(f"{count:7} {why}" for why, count in seen.most_common()), sep="\n")
    fail(moved, wrong)


def test_nothing_is_lost_changed_or_added_without_a_word(moved):
    """With status, finalizers, owners and field managers, by a comparison of its own."""
    wrong = []
    for ns, _, new in moved.pairs():
        names = {name: moved.names[name] for name in (ns.name, ns.peer)}
        said = Said(*moved.results[ns.name])
        found = refs(moved.before, ns.name), refs(moved.after, new.namespace)
        wrong += [f"{ns.name}: {each}" for each in untold(*found, names, said, [*made_of(ns)])]
    fail(moved, wrong)


OUTSIDE_KINDS = (("ValidatingWebhookConfiguration", ""), ("ClusterRoleBinding", ""), ("RoleBinding", "kube-public"))


def words(obj):
    """Return the words of an object, names with dashes and dots among them."""
    return set(re.findall(r"[a-z0-9][-a-z0-9]*", json.dumps(obj)))


def test_what_stands_outside_and_names_a_namespace_is_there_again_or_listed(moved):
    """Found with grep: whatever names the namespace, on either cluster."""
    wrong, seen = [], 0
    for ns, _, new in moved.pairs():
        said = Said(*moved.results[ns.name])
        for kind, space in OUTSIDE_KINDS:
            old = [
                obj for (one, _), obj in moved.before.namespaces[space].items() if one == kind and ns.name in words(obj)
            ]
            now = [obj for (one, _), obj in moved.after.namespaces.get(space, {}).items() if one == kind]
            now = [obj for obj in now if new.namespace in words(obj)]
            seen += len(old)
            lost = [obj["metadata"]["name"] for obj in old if obj["metadata"]["name"] not in said.words]
            if len(now) < len(old) and lost:
                wrong.append(f"{ns.name}: of {len(old)} {kind} {len(now)} are there: {lost}")
    assert seen >= 4 * len(moved.namespaces)
    fail(moved, wrong)


def ref_of(template, namespace):
    return Ref(group_of(template["apiVersion"]), template["kind"], namespace, template["metadata"]["name"])


def test_a_diff_finds_no_difference_on_either_cluster(moved, bench):
    """Neither where they come from nor where they went: values and names of another cluster are no differences."""
    asked = {id(pair[0]): (pair[0], {}) for pair in moved.results.values()}
    for name, (saved, _) in moved.results.items():
        asked[id(saved)][1][name] = moved.names[name]
    pairs = [(saved, B, names) for saved, names in asked.values()]
    for saved, context, mapped in [(pairs[0][0], A, {}), *pairs]:
        found = compared(RestoreOptions(backup=saved.name, map=mapped, context=context, **bench.where), with_diff=False)
        fail(moved, [*found.problems, *found.objects])
        assert found.counts["same"] > len(moved.names) // moved.batches
