"""Real applications go through an export: installed from the chart, they are what was backed up.

Their manifests are those of their authors (applications.yaml). On kwok no program runs: Pods are ready, controllers and
webhooks are not there. What is the same is said by Kubeferry's own diff, which knows nothing of charts, and by kubectl.
"""

import collections
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.support.applications import LATE, WORKLOADS, Application, custom_kinds, kind_of, load, stages
from tests.support.bench import A, B
from tests.support.charts import ALWAYS, HelmError, differences, exported, listed, unexplained
from tests.support.kubectl import KubectlError
from tests.support.yaml_documents import documents as read
from tests.support.yaml_documents import of_folder

from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.diff.compare import compared

pytestmark = pytest.mark.exclusive

soak = pytest.mark.soak(minutes=2, setup=3)

APPLICATIONS = load(Path(__file__).parent / "applications.yaml")


@dataclass
class Installed:
    """An application in a namespace of the first cluster, and a backup of it."""

    app: Application
    namespace: str
    manifests: list
    saved: object


@pytest.fixture(scope="module", params=APPLICATIONS, ids=lambda app: app.name)
def installed(request, bench, helm, kubectl, sandbox_env, tmp_path_factory):
    app, ns = request.param, bench.name(request.param.name[:12].strip("-"))
    manifests = app.manifests(tmp_path_factory.mktemp("go"), ns, helm, lambda *each: kubectl(sandbox_env, *each))
    bench.namespace_named(ns)
    try:
        for some in stages(manifests):
            applied(bench, kubectl, sandbox_env, some, ns)
            wait_until_served(bench, some)
        wait_until_ready(bench, ns)
        saved = bench.backup(ns)
        # From here on the API server asks nobody about what other tests do on this cluster.
        removed(kubectl, sandbox_env, A, [each for each in manifests if each["kind"] in LATE])
        yield Installed(app, ns, manifests, saved)
    finally:
        for context in (A, B):
            clean(kubectl, sandbox_env, context, manifests)


def applied(bench, kubectl, sandbox, objects, ns):
    """Apply objects; those that name no namespace, and are in one, are in this one."""
    for each in objects:
        if bench.kind(each["kind"], each["apiVersion"]).namespaced:
            each["metadata"].setdefault("namespace", ns)
    text = yaml.safe_dump_all(objects, allow_unicode=False)
    kubectl(sandbox, "apply", "--server-side", "--filename", "-", context=A, text=text)


def wait_until_served(bench, objects):
    for spec in (each["spec"] for each in objects if each["kind"] == "CustomResourceDefinition"):
        bench.until(lambda spec=spec: (spec["group"], spec["names"]["kind"]) in bench.clusters[A].discover().versions)


def wait_until_ready(bench, ns):
    for kind in WORKLOADS:
        for each in bench.list(kind, ns):
            bench.ready(kind, ns, each["metadata"]["name"])


def removed(kubectl, sandbox, context, objects):
    if objects:
        text = yaml.safe_dump_all(objects)
        kubectl(sandbox, "delete", "--ignore-not-found", "--filename", "-", context=context, text=text)


def clean(kubectl, sandbox, context, manifests):
    """Take away what is cluster-wide; its namespaces are the bench's."""
    late = [each for each in manifests if each["kind"] in LATE]
    custom = custom_kinds(manifests)
    let_go(kubectl, sandbox, context, custom)
    rest = [each for each in manifests if each not in late and kind_of(each) not in custom]
    for some in (late, [each for each in rest if each["kind"] != "Namespace"]):
        with suppress(KubectlError):
            removed(kubectl, sandbox, context, some)


def let_go(kubectl, sandbox, context, kinds, *where):
    """Do what the controller of custom resources would do before they go: take away its finalizers."""
    for group, kind in kinds:
        with suppress(KubectlError):  # the kind is not there
            form = (
                "-o=jsonpath={range .items[?(@.metadata.finalizers)]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"
            )
            found = kubectl(sandbox, "get", f"{kind}.{group}", *(where or ["--all-namespaces"]), form, context=context)
            for line in found.splitlines():
                space, name = line.split(" ")
                patch = ["--type=merge", '--patch={"metadata":{"finalizers":null}}']
                kubectl(sandbox, "patch", f"{kind}.{group}", name, "-n", space, *patch, context=context)


def left(bench, ns):
    """Return what is in a namespace of the second cluster that Kubernetes does not make itself."""
    found = set()
    for kind in bench.clusters[B].discover().types:
        if kind.namespaced and {"list", "create"} <= kind.verbs and kind.kind != "Event":
            found |= {f"{kind.kind} {each['metadata']['name']}" for each in bench.clusters[B].list(kind, ns)}
    return found - {"ServiceAccount default", "ConfigMap kube-root-ca.crt"}


@soak
def test_a_chart_of_it_is_the_application(installed, bench, helm, kubectl, sandbox_env, tmp_path):
    app, ns, saved = installed.app, installed.namespace, installed.saved
    copy, out = bench.name(f"{ns}-b"), tmp_path / "chart"
    result = exported(bench, saved, out, secrets="include")
    assert "0 chart(s) failed" in helm("lint", out)
    where, began = ["--namespace", copy], time.monotonic()
    install = ["install", "app", out, *where, "--create-namespace", "--wait", "--timeout", "200s"]
    if app.fault:
        with pytest.raises(HelmError, match=app.fault):
            helm(*install)
        return
    helm(*install, "--rollback-on-failure")
    seconds = time.monotonic() - began
    found = compared(RestoreOptions(backup=saved.name, context=B, map={ns: copy}, **bench.where))
    rows = list(differences(found))
    print(f"FIGURES {app.name}: {result.objects} objects, {seconds:.1f} s, {len(rows)} differences:", *rows, sep="\n")
    assert found.problems == []
    known = [*ALWAYS, *listed(result, (out / "templates/NOTES.txt").read_text(), copy), *app.differs]
    assert unexplained(rows, known) == []
    assert [pattern for pattern in app.differs if not any(re.search(pattern, each) for each in rows)] == []
    let_go(kubectl, sandbox_env, B, custom_kinds(installed.manifests), "--namespace", copy)
    helm("uninstall", "app", *where, "--wait", "--timeout", "100s")
    bench.until(lambda: left(bench, copy) == set())


@soak
def test_plain_files_and_a_kustomization_are_the_same_and_the_server_takes_them(
    installed, bench, kubectl, sandbox_env, tmp_path
):
    """In the application's own namespace: its kinds are known there, and its node ports are its own."""
    for form in ("yaml", "kustomize"):
        exported(bench, installed.saved, tmp_path / form, secrets="include", format=form)
    whole = of_folder(tmp_path / "yaml")
    overlay = str(tmp_path / "kustomize/overlays/default")
    rendered = read(kubectl(sandbox_env, "kustomize", overlay))
    # kustomize gives a namespace to a kind that it does not know: cluster-wide custom resources are left out.
    objects = {key: each for key, each in whole.items() if key[2] or "." not in key[0] or ".k8s.io/" in key[0]}
    assert set(rendered) == set(objects)
    assert {key[1] for key in objects if rendered[key] != objects[key]} == set(installed.app.rendered)
    dry = ["apply", "--server-side", "--dry-run=server", "--force-conflicts"]
    plain = ["--recursive", "--filename", str(tmp_path / "yaml")]
    for what, count in ((plain, len(whole)), (["--kustomize", overlay], len(objects))):
        taken = kubectl(sandbox_env, *dry, *what)
        assert len(re.findall(r" serverside-applied \(server dry run\)$", taken, re.MULTILINE)) == count
    there = {(each[1], each[3]) for each in whole}
    there |= {(each.type.partition(".")[0], each.name) for each in installed.saved.left_out}
    assert set(needed(installed.manifests, installed.namespace)) - there == set(), "each is there, or left out"
    rest = collections.Counter(each["kind"] for each in installed.manifests if named(each) not in there)
    print(f"NOT IN {installed.app.name}, since its namespace does not need it: {dict(sorted(rest.items()))}")


def named(obj):
    return obj["kind"], obj["metadata"]["name"]


def needed(manifests, ns):
    """Yield what has to be in a backup of a namespace: its objects, their definitions, its accounts' rights."""
    bindings = [each for each in manifests if each["kind"] in ("RoleBinding", "ClusterRoleBinding")]
    bindings = [each for each in bindings if each["metadata"].get("namespace") == ns or of_account(each, ns)]
    roles = {(each["roleRef"]["kind"], each["roleRef"]["name"]) for each in bindings}
    inside = [each for each in manifests if each["metadata"].get("namespace") == ns]
    kinds = {kind_of(each) for each in inside}
    for each in manifests:
        spec = each["spec"] if each["kind"] == "CustomResourceDefinition" else None
        defines = spec and (spec["group"], spec["names"]["kind"]) in kinds
        if each in inside or each in bindings or named(each) in roles or defines:
            yield named(each)


def of_account(binding, ns):
    """Return whether a cluster-wide binding gives rights to an account of a namespace."""
    return binding["kind"] == "ClusterRoleBinding" and any(
        each.get("namespace") == ns for each in binding.get("subjects", [])
    )
