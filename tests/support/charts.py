"""Charts of tests: the real Helm, exports, and which differences of an installed chart are no fault, and why."""

import os
import re
import shlex
import subprocess

from tests.support.bench import A, B

from kubeferry.deployments.sandbox import build
from kubeferry.flows.export import export
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_export import ExportOptions

OURS = ("meta.helm.sh/", "argocd.argoproj.io/sync-wave", "helm.sh/resource-group", "app.kubernetes.io/managed-by")
"""Marks that Helm, or its chart, sets."""

ALWAYS = {
    r"^added Secret sh\.helm\.release\.": "Helm's own record",
    r"^Namespace \S+ metadata\.labels\.name$": "Helm labels a namespace that it makes with its name",
    r"^Service \S+ spec\.ports\[\d+\]\.nodePort$": "a value of the chart: null, and the cluster allocates one",
    r"WebhookConfiguration\.\S+ \S+ metadata\.annotations\[\"helm\.sh/hook": "a hook of the chart",
}
"""What differs with every chart, as patterns of `differences`."""


class HelmError(AssertionError):
    """What Helm printed when it failed."""


def helm_runner(sandbox_env, seconds):
    """Return a function that runs Helm on the second cluster; it is built if it was not yet."""
    binary = build.binaries(build.TOOLS["helm"]) / "helm"

    def run(*arguments):
        argv = [binary, *map(str, arguments), "--kube-context", B]
        env = {**os.environ, **sandbox_env.env()}
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=seconds)
        if done.returncode:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout

    return run


def exported(bench, saved, out, **options):
    """Export a backup into a folder, as a chart unless `format` says otherwise; return the result."""
    asked = {"backup": saved.name, "out": str(out), "context": A, "format": "helm", **bench.where, **options}
    return bench.run_flow(export(ExportOptions(**asked)))


def differences(found):
    """Yield each difference that `kubeferry diff` finds as one line, but for the marks of Helm and of the chart."""
    for each in found.objects:
        if each.change != "changed":
            yield f"{each.change} {each.type} {each.name}"
            continue
        yield from (
            f"{each.type} {each.name} {one.path}" for one in each.fields if not any(mark in one.path for mark in OURS)
        )


def listed(result, notes, namespace):
    """Yield patterns of what an export says itself: what it leaves out or makes a hook, and labels in the notes."""
    for each in result.problems:
        ref = Ref.parse(each.what)
        yield rf"^removed {re.escape(ref.type)} {re.escape(ref.name)}$"
    hooks = (Ref.parse(each.what) for each in result.warnings if "is a hook of the chart" in each.why)
    for ref in hooks:
        mark = r"metadata\.annotations\[\"helm\.sh/(hook|hook-weight|resource-policy)\"\]"
        yield rf"^{re.escape(ref.type)} {re.escape(ref.name)} {mark}$"
    for each in result.left_out:  # of another namespace; the copy of it has the new namespace in its name
        yield rf"^removed {re.escape(each.type)} {re.escape(each.name)}(-{re.escape(namespace)})?$"
    for each in result.losses:
        kind, _, name = each.object.replace("/", " ").rpartition(" ")
        path = each.path.replace("/", ".").lstrip(".")
        yield rf"^{re.escape(kind.partition(' ')[0])} {re.escape(name)} {re.escape(path)}"
    for line in notes.splitlines():
        if "kubectl label namespace" in line:
            key = shlex.split(line)[-1].partition("=")[0]
            yield rf"^Namespace {namespace} metadata\.labels(\.|\[\"){re.escape(key)}(\"\])?$"


def unexplained(rows, patterns):
    """Return the rows that no pattern is found in."""
    return [each for each in rows if not any(re.search(pattern, each) for pattern in patterns)]
