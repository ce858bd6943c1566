"""The files of a chart that are about no single object: Chart.yaml, notes, and a test of its Services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.models.options_export import ChartShape
from kubeferry.tasks.core.plan.export.helm.bundle import RUN, bundle_files
from kubeferry.tasks.core.plan.export.helm.text import escaped
from kubeferry.tasks.core.plan.export.yaml_files import dump

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.plan.export.helm.chart import Chart

HELMIGNORE = ".kubeferry-export\nREADME.md\nreleases/\n.git/\n"

NOTES = """\
{{{{ .Release.Name }}}} is installed in namespace {{{{ .Release.Namespace }}}}.
{notes}
"""

UPGRADE = """\
{{- if .Release.IsInstall }}
- Run helm upgrade with this chart and the same values once: values that this install made are looked up then (KEYS).
{{- end }}
"""
"""A line of the notes, after an install only."""

TEST = """\
{{{{- if .Values.test.enabled }}}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{{{ printf "%s-test" .Release.Name | trunc 63 | quote }}}}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 1
  template:
    spec:
      restartPolicy: Never
      containers:
      - name: reach
        image: {{{{ .Values.test.image | toJson }}}}
        command: [sh, -ec, {command}]
{{{{- end }}}}
"""


def chart_name(name: str) -> str:
    """Return a legal name of a chart: lower-case letters, digits and dashes."""
    return "-".join(filter(None, name.lower().replace(".", "-").split("-")))[:50] or "chart"


def extras(chart: Chart, source: str) -> Iterator[tuple[str, str]]:
    """Yield these files, as path and text; `source` is what the chart was made of."""
    head = {
        "apiVersion": "v2",
        "name": chart.name,
        "description": f"Made of {source} by kubeferry export",
        "type": "application",
        "version": "0.1.0",
        "appVersion": "1",
    }
    yield "Chart.yaml", dump(head)
    yield ".helmignore", HELMIGNORE
    if chart.services:
        chart.values.note(("test",), "helm test: whether the Services can be reached.")
        chart.values.add(("test", "enabled"), default=True)
        chart.values.add(("test", "image"), "busybox:1.37", "An image with sh and nc.")
        command = "; ".join(f"nc -z -w 5 {name} {port}" for name, port in chart.services)
        yield "templates/tests/services.yaml", TEST.format(command=f'"{command}"')
    notes = [note.replace(chart.release, "RELEASE-NAMESPACE") for note in dict.fromkeys(chart.notes)]
    text = NOTES.format(notes="\n".join(f"- {escaped(note)}" for note in notes))
    if chart.shape is ChartShape.BUNDLE:
        text += RUN
        yield from bundle_files()
    if chart.lookups.later:
        text += UPGRADE.replace("KEYS", ", ".join(f"addresses.{key}" for key in chart.lookups.later))
    yield "templates/NOTES.txt", text.replace("RELEASE-NAMESPACE", "{{ .Release.Namespace }}")
    named = chart.lookups.text()
    if named:
        yield "templates/_lookups.tpl", named
    yield "values.yaml", chart.values.text()
    yield "values.schema.json", chart.values.schema()
