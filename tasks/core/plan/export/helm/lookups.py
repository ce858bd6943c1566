"""Values of the source cluster in a chart: what Helm's `lookup` finds on the target, and what a user has to set.

`lookup` reads an object while the templates are rendered: what was there before an install is found at once, what the
chart itself makes by the first upgrade. Chains through generated names (the pods of a Deployment, nodes by role) cannot
be followed by a template. Source: Helm's documentation, "Template Functions and Pipelines", Using the lookup function.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.jsondoc.edit import EACH
from kubeferry.tasks.core.kube.kinds import BUILT_IN
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.steps import READS, Named, Start
from kubeferry.tasks.core.plan.export.helm.values import Values, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.lookup.chain import Chain
    from kubeferry.tasks.core.plan.export.helm.text import Template

READER = """\
{{- /* Collects the texts at a path into a list; "*" is each item of a list. */ -}}
{{- define "kubeferry.walk" -}}
{{- if not .path -}}
{{- if and (kindIs "string" .value) .value (ne (toString .value) "None") -}}
{{- $_ := set .into "found" (append .into.found .value) -}}
{{- end -}}
{{- else if eq (first .path) "*" -}}
{{- if kindIs "slice" .value -}}
{{- range .value -}}
{{- include "kubeferry.walk" (dict "value" . "path" (rest $.path) "into" $.into) -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "map" .value -}}
{{- if hasKey .value (first .path) -}}
{{- include "kubeferry.walk" (dict "value" (get .value (first .path)) "path" (rest .path) "into" .into) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The value of an object: of the texts at some paths, the one of this family with this number. */ -}}
{{- define "kubeferry.read" -}}
{{- $into := dict "found" list -}}
{{- range .paths -}}
{{- include "kubeferry.walk" (dict "value" $.object "path" . "into" $into) -}}
{{- end -}}
{{- $some := list -}}
{{- range uniq $into.found -}}
{{- $family := ternary "IPv6" (ternary "IPv4" "host" (regexMatch "^[0-9.]+$" .)) (contains ":" .) -}}
{{- if or (not $.family) (eq $family $.family) -}}
{{- $some = append $some . -}}
{{- end -}}
{{- end -}}
{{- if gt (len $some) (int .index) -}}
{{- index $some (int .index) -}}
{{- end -}}
{{- end -}}
"""

ONE = """
{{{{- /* {chain} */ -}}}}
{{{{- define {name} -}}}}
{{{{- $object := dict -}}}}
{{{{- if .Capabilities.APIVersions.Has {has} -}}}}
{{{{- $object = lookup {version} {kind} {namespace} {called} -}}}}
{{{{- end -}}}}
{{{{- $found := include "kubeferry.read" (dict "object" $object "paths" {paths} "family" {family} "index" {index}) -}}}}
{{{{- {value} | default $found | default {old} -}}}}
{{{{- end -}}}}
"""


@dataclass(frozen=True, slots=True)
class Found:
    """How the templates of a chart get a value."""

    expression: str
    how: str
    note: str = ""
    """What a user has to do; "" for nothing."""


@dataclass
class Lookups:
    """Collects the values of the source cluster; `text` has the templates that look them up."""

    values: Values
    template: Template
    word: str
    """The word for the release's namespace in texts for people."""
    versions: dict[Ref, str] = field(default_factory=dict)
    """apiVersion of each object of the chart."""
    later: list[str] = field(default_factory=list)
    """Values that are found by the first upgrade: the chart makes the objects that have them."""
    _defined: dict[str, str] = field(default_factory=dict)

    def of(self, chain: Chain, old: str) -> Found:
        """Return how templates get the value at the end of a chain, which was `old` in the source."""
        release = self.template.release
        text = chain.text().replace(release, self.word)
        key = key_of(chain.text().replace(f"{release}/", "").replace(release, self.word).replace(" → ", "-")).strip("-")
        path = ("addresses", key)
        self.values.note(path[:1], "Values that the source cluster assigned.")
        target = _looked_up(chain)
        version = self._version(target) if target else ""
        if target is None or not version:
            reading = self.values.add(path, old, f"{text}: set it to the value of this cluster")
            return Found(
                reading, f"value addresses.{key} of the chart: set it", f"Value addresses.{key} has to be {text}"
            )
        reading = self.values.add(path, "", f"{text}: looked up if it is empty; it was {old}")
        name = json.dumps(f"kubeferry.address.{key}", ensure_ascii=False)
        self._defined[key] = ONE.format(
            chain=text.replace("*/", "* /"),
            name=name,
            has=json.dumps(f"{version}/{target.kind}"),
            version=json.dumps(version),
            kind=json.dumps(target.kind),
            namespace=self.template.literal(target.namespace),
            called=self.template.literal(target.name),
            paths=_paths(chain),
            family=json.dumps(chain.read.family),
            index=chain.read.index,
            value=reading,
            old=json.dumps(old, ensure_ascii=False),
        )
        own = chain.start in self.versions
        if own and key not in self.later:
            self.later.append(key)
        when = "by the first upgrade after the install" if own else "by the install"
        return Found(f"include {name} $", f"value addresses.{key} of the chart: Helm looks it up {when}")

    def text(self) -> str:
        """Return the file of named templates; "" without any."""
        return READER + "".join(self._defined.values()) if self._defined else ""

    def _version(self, ref: Ref) -> str:
        """Return the apiVersion by which an object is read; "" if it is unknown."""
        if ref in self.versions:
            return self.versions[ref]
        known = (ref.group, ref.kind) in BUILT_IN
        return f"{ref.group}/v1".removeprefix("/") if known else ""


def _looked_up(chain: Chain) -> Ref | None:
    """Return the object that has the value at the end of a chain, if its name is the same on every cluster."""
    if chain.read.what not in READS:
        return None
    match chain.steps[:-1]:
        case (Start(ref),):
            return ref
        case (Start(ref), Named(name)):
            return Ref("", "Pod", ref.namespace, name)
    return None


def _paths(chain: Chain) -> str:
    return f"(list {' '.join(_path(path) for path in READS[chain.read.what])})"


def _path(path: tuple[object, ...]) -> str:
    return f"(list {' '.join(_step(path))})"


def _step(path: tuple[object, ...]) -> Iterator[str]:
    for each in path:
        yield json.dumps("*" if each is EACH else str(each))
