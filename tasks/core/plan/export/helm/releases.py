"""Releases that Helm itself installed in the namespace: their objects belong to their own charts, and not to a new one.

Helm marks its objects with a label and an annotation (helm.sh/helm/v4, pkg/kube, and Chart Best Practices, Labels and
Annotations), and keeps a record of each release in a Secret, or in a ConfigMap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.jsondoc.edit import get
from kubeferry.tasks.core.kube.objects import annotations_of, labels_of
from kubeferry.tasks.core.plan.export.yaml_files import dump
from kubeferry.tasks.core.transform.rename.helm import recorded_release

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object

BY_HELM = ("app.kubernetes.io/managed-by", "Helm")
NAME = "meta.helm.sh/release-name"


@dataclass
class Releases:
    """Collects what belongs to releases of Helm, while objects are read."""

    objects: dict[str, int] = field(default_factory=dict)
    """The number of objects of each release."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest record of each."""

    def takes(self, obj: Object) -> bool:
        """Return whether an object belongs to a release, and note it."""
        record = recorded_release(obj)
        if record is not None:
            self._note(record)
            return True
        label, value = BY_HELM
        name = annotations_of(obj).get(NAME)
        if labels_of(obj).get(label) != value or not isinstance(name, str):
            return False
        self.objects[name] = self.objects.get(name, 0) + 1
        return True

    def _note(self, record: dict[str, Any]) -> None:
        name, version = str(record.get("name")), record.get("version")
        known = self.records.get(name, {}).get("version")
        if not isinstance(known, int) or (isinstance(version, int) and version > known):
            self.records[name] = record

    def rows(self) -> list[Problem]:
        """Return a line about each release: its chart, version, number of objects, and the file of its values."""
        return [
            Problem(what=f"Helm release {name}", why=self._line(name))
            for name in sorted(self.objects.keys() | self.records.keys())
        ]

    def _line(self, name: str) -> str:
        chart = get(self.records.get(name, {}), "chart", "metadata")
        known = f"chart {get(chart, 'name')} {get(chart, 'version')}" if isinstance(chart, dict) else "an unknown chart"
        return f"{known}: its {self.objects.get(name, 0)} objects are not in this chart, install that one"

    def values(self) -> list[tuple[str, str]]:
        """Return the files of the values that users gave, as path and text; they may hold confidential values."""
        given = ((name, record.get("config")) for name, record in sorted(self.records.items()))
        return [(f"releases/{name}.values.yaml", dump(config)) for name, config in given if isinstance(config, dict)]
