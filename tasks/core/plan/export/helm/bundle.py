"""The shape `bundle` of a chart: one Bundle whose spec holds the rendered objects, which a restore carries out.

Helm installs only the Bundle, its definition, Secrets and cluster-scoped objects. A restore (`kubeferry restore
--from-bundle`) then creates the rest in the order that works, looks up addresses on the way, and makes the bundle of
what it created go with this one: `helm uninstall` deletes all of it by garbage collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.target.bundle import API_VERSION, DEFINITION, KIND, definition
from kubeferry.tasks.core.plan.export.yaml_files import dump

if TYPE_CHECKING:
    from collections.abc import Iterator

HELD = "objects"
"""The folder of a chart with the templates of the objects that its bundle holds."""

MOST = 1_000_000
"""Most bytes of these templates: etcd takes 1.5 MiB for an object (etcd.io: System limits)."""

BUNDLE = f"""\
apiVersion: {API_VERSION}
kind: {KIND}
spec:
  objects:
{{{{- range $path, $_ := .Files.Glob "{HELD}/**" }}}}
{{{{- with tpl ($.Files.Get $path) $ | trim }}}}
  -
{{{{ . | indent 4 }}}}
{{{{- end }}}}
{{{{- end }}}}
metadata:
  name: {{{{ .Release.Name }}}}
  namespace: "{{{{ .Release.Namespace }}}}"
"""
"""`metadata` comes last, so that a text at the end of the last object keeps its line end."""

RUN = """\
- Now restore what the bundle holds, with the context of this cluster:
  kubeferry restore --from-bundle {{ .Release.Namespace }}/{{ .Release.Name }} --bundle own
"""
"""Lines of the notes."""


def bundle_files() -> Iterator[tuple[str, str]]:
    """Yield the files of a chart of this shape, besides those of its objects, as path and text."""
    yield "templates/bundle.yaml", BUNDLE
    yield f"crds/{DEFINITION.name}.yaml", dump(definition())
