"""What is in an export and what is not, as a page of Markdown: it is in the folder, and with the run in Prefect."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.printable import code, one_line, words
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options_export import ExportFormat
from kubeferry.tasks.core.plan.export.secrets import OPAQUE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.models.options_export import ExportOptions
    from kubeferry.tasks.core.models.results import ExportedSecret
    from kubeferry.tasks.core.plan.export.objects import Findings
    from kubeferry.tasks.core.plan.parts import Parts

APPLY = {
    ExportFormat.YAML: "The files are in the order that works: `kubectl apply --server-side --recursive --filename .`",
    ExportFormat.KUSTOMIZE: (
        "`base/` has all objects, `overlays/default/` what differs between environments:"
        " `kubectl apply --server-side --kustomize overlays/default`"
    ),
    ExportFormat.HELM: "`helm install NAME . --namespace NS --create-namespace`; `values.yaml` has what may change.",
}


def page(parts: Parts, options: ExportOptions, findings: Findings, counts: Mapping[str, int]) -> str:
    """Return the page."""
    chart = options.format is ExportFormat.HELM  # its namespace is that of the release
    names = sorted((old, old if chart else new) for old, new in parts.namespaces.items())
    moved = ", ".join(old if old == new else f"{old} → {new}" for old, new in names)
    whence = f"backup {parts.backup}" if options.backup else f"namespace {options.from_cluster}"
    lines = [f"# Export of {words(whence)}", "", f"- namespaces: {words(moved)}"]
    lines += [f"- {words(kind)}: {count}" for kind, count in counts.items()]
    lines += ["", APPLY[options.format], ""]
    trouble = (f"{words(each.what)} {words(each.why)}" for each in [*findings.problems, *findings.warnings])
    lines += _section("Problems", trouble)
    releases = (f"{words(each.what)}: {words(each.why)}" for each in findings.releases)
    lines += _section("Releases of Helm", releases)
    lines += _section("Secrets that are not here", _missing(findings.secrets))
    lines += _section(
        "Values of the source cluster",
        (
            f"{words(each.object)} {code(each.path)} holds {code(each.old)} ({words(each.chain)}): {each.how}"
            for each in findings.dynamic
        ),
    )
    lines += _section("Owners", (f"{words(each.what)} {words(each.why)}" for each in findings.unowned))
    wants = (f"{words(str(ref))}, for {words(_some(users))}" for ref, users in sorted(parts.wants.items()))
    lines += _section("What the cluster must have", wants)
    lines += _section("Not as it was", (f"{words(each.place)}: {words(each.why)}" for each in parts.losses))
    excluded = (f"{words(f'{each.type} {each.namespace}/{each.name}')}: {words(each.why)}" for each in parts.left_out)
    lines += _section("Excluded", excluded)
    return "\n".join(lines)


def _missing(secrets: Iterable[ExportedSecret]) -> Iterator[str]:
    for each in secrets:
        if each.how == "omitted":
            yield f"{words(each.object)}: {code(_command(each))}"
        elif each.how == "external":
            yield f"{words(each.object)}: its ExternalSecret reads {', '.join(map(code, each.data_keys))}"


def _command(secret: ExportedSecret) -> str:
    """Return the command that creates a Secret, with a file for each key."""
    ref = Ref.parse(secret.object)
    kind = [f"--type={secret.type}"] if secret.type != OPAQUE else []
    files = [f"--from-file={key}=FILE" for key in secret.data_keys]
    return one_line(
        shlex.join(["kubectl", "create", "secret", "generic", ref.name, "-n", ref.namespace, *kind, *files])
    )


def _some(users: Iterable[Ref]) -> str:
    return ", ".join(sorted(map(str, users))[:3])


def _section(title: str, lines: Iterable[str]) -> list[str]:
    listed = [f"- {line}" for line in lines]
    return [f"## {title}", "", *listed, ""] if listed else []
