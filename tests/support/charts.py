"""What is known of a chart that was installed: which differences from the backup are no fault, and why."""

import re
import shlex

from kubeferry.tasks.core.kube.objects import Ref

OURS = ("meta.helm.sh/", "argocd.argoproj.io/sync-wave", "helm.sh/resource-group", "app.kubernetes.io/managed-by")
"""Marks that Helm, or its chart, sets."""

ALWAYS = {
    r"^added Secret sh\.helm\.release\.": "Helm's own record",
    r"^Namespace \S+ metadata\.labels\.name$": "Helm labels a namespace that it makes with its name",
    r"^Service \S+ spec\.ports\[\d+\]\.nodePort$": "a value of the chart: null, and the cluster allocates one",
}
"""What differs with every chart, as patterns of `differences`."""


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
    for line in notes.splitlines():
        if "kubectl label namespace" in line:
            key = shlex.split(line)[-1].partition("=")[0]
            yield rf"^Namespace {namespace} metadata\.labels(\.|\[\"){re.escape(key)}(\"\])?$"


def unexplained(rows, patterns):
    """Return the rows that no pattern is found in."""
    return [each for each in rows if not any(re.search(pattern, each) for pattern in patterns)]
