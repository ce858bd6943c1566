"""The files of a chart: a template for each object, definitions, values, schema, notes and a test.

The namespace of the release is known by the name that the plan gave to it (`release`), so all that the rules of
renaming find follows it. Helm installs by kind and does not wait in between; the levels are written as annotations for
Argo CD and for Helm's resource groups (HIP-0025). What Kubernetes itself makes in every namespace stays out.
"""

from __future__ import annotations

import base64
import json
import shlex
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.formats.target.bundle import BINDINGS
from kubeferry.tasks.core.jsondoc.edit import change
from kubeferry.tasks.core.kube.kinds import NAMESPACE, is_built_in
from kubeferry.tasks.core.kube.namespace_defaults import namespace_default
from kubeferry.tasks.core.kube.strings import ENCODED
from kubeferry.tasks.core.lookup.bindings import bind, to_json
from kubeferry.tasks.core.models.options_export import ChartShape, SecretMode
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.plan.export.content import control_character
from kubeferry.tasks.core.plan.export.helm.bundle import HELD
from kubeferry.tasks.core.plan.export.helm.lookups import Lookups
from kubeferry.tasks.core.plan.export.helm.objects import OPTIONAL, Parameters, reading_of_secret
from kubeferry.tasks.core.plan.export.helm.order import WEBHOOKS, Hook
from kubeferry.tasks.core.plan.export.helm.text import Template
from kubeferry.tasks.core.plan.export.helm.values import Values, key_of
from kubeferry.tasks.core.plan.export.secrets import confidential, keys
from kubeferry.tasks.core.plan.export.yaml_files import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.objects import Ref
    from kubeferry.tasks.core.lookup.bindings import Binding
    from kubeferry.tasks.core.plan.export.helm.order import Turn
    from kubeferry.tasks.core.plan.export.objects import Exported

WAVE = "argocd.argoproj.io/sync-wave"
GROUP = "helm.sh/resource-group"

OWN = """\
{{{{- $there := dict }}}}
{{{{- if .Capabilities.APIVersions.Has {has} }}}}{{{{ $there = lookup {version} {kind} "" {name} }}}}{{{{ end }}}}
{{{{- $notes := dig "metadata" "annotations" dict ($there | default dict) }}}}
{{{{- $space := index $notes "meta.helm.sh/release-namespace" }}}}
{{{{- $own := printf "%s/%s" $space (index $notes "meta.helm.sh/release-name") }}}}
{{{{- if and .Values.clusterScoped (or (not $there) (eq $own (printf "%s/%s" .Release.Namespace .Release.Name))) }}}}
{text}{{{{ end }}}}
"""
"""A cluster-scoped object that is there already, of somebody else, is used as it is."""

ENDPOINTS = ("", "Endpoints")

HOOK = "helm.sh/hook"
REMOVED = "before-hook-creation,hook-succeeded"
"""Deletes what has the name, creates the hook, and deletes it (Helm's documentation, Chart Hooks)."""

MANAGED = MappingProxyType({"app.kubernetes.io/managed-by": "Helm"})
"""What Helm writes on objects of a release, and asks of those that it adopts (pkg/action/validate.go)."""

LATER = """\
{{{{- if not (.Capabilities.APIVersions.Has {has}) }}}}
helm.sh/hook: {events}
helm.sh/hook-weight: "{weight}"
{{{{- end }}}}"""
"""Annotations of a hook that belongs to the release as soon as its kind is known when the chart is rendered."""

LABELS = "{{- with .Values.labels }}\n{{ toYaml . | nindent {N} | trim }}\n{{- end }}"
NEW_LABELS = "{{- with .Values.labels }}\nlabels: {{ toJson . }}\n{{- end }}"


@dataclass
class Chart:
    """Collects a chart while its objects are written."""

    name: str
    release: str
    """The name of the release's namespace in the plan."""
    refs: Iterable[Ref]
    mode: SecretMode
    secrets: Iterable[str] = ()
    """The names of its Secrets with content."""
    never_ready: dict[Ref, str] = field(default_factory=dict)
    """Objects that Helm would wait for in vain, with the reason."""
    turns: dict[Ref, Turn] = field(default_factory=dict)
    """Objects that have to be hooks."""
    versions: dict[Ref, str] = field(default_factory=dict)
    """apiVersion of each object."""
    namespace: str = ""
    """The namespace in the source."""
    shape: ChartShape = ChartShape.TEMPLATES
    values: Values = field(default_factory=Values)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    dynamic: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """What was done about each dynamic value, by object, place and chain."""
    services: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin with the values that every chart has."""
        known = list(self.refs)
        self.kinds = {(ref.group, ref.kind) for ref in known}
        self.template = Template(self.release)
        self.parameters = Parameters(self.template, self.values, known, self.secrets)
        self.lookups = Lookups(self.values, self.template, NAMESPACE_WORD, self.versions)
        self.values.add(("labels",), {}, "Labels for every object, besides its own.")
        self.values.add(
            ("clusterScoped",), default=True, comment="Whether to create cluster-scoped objects that are not there yet."
        )
        for group, kind in OPTIONAL:
            if (group, kind) in self.kinds:
                self.values.note(("enabled",), "Optional parts.")
                self.values.add(("enabled", kind), default=True)

    def files(self, each: Exported, custom: Iterable[Ref]) -> Iterator[tuple[str, str]]:
        """Yield the file of one object, as path and text; `custom` are the definitions of the chart."""
        ref, body = each.ref, each.body
        if (ref.group, ref.kind) == NAMESPACE:
            self._namespace(body)
            return
        default = namespace_default(ref)
        if default:
            self.notes.append(f"{ref.kind} {ref.name} is not in the chart: {default.made_by}.")
            return
        if (ref.group, ref.kind) == CRD and self.release not in str(body):
            yield f"crds/{each.path.rpartition('/')[2]}", dump(body)
            return
        character = control_character(body)
        if character:
            self.problems.append(Problem(what=str(ref), why=f"holds the character {character}, which Helm cannot read"))
            return
        if (ref.group, ref.kind) == ENDPOINTS:
            why = "is deprecated (Kubernetes 1.33): helm lint --strict refuses the chart for it, and Helm installs it"
            self.warnings.append(Problem(what=str(ref), why=why))
        if self.shape is ChartShape.BUNDLE and ref.namespace and not self._is_value(body):
            yield f"{HELD}/{each.path}", self._held(each, set(custom))
            return
        yield f"templates/{each.path}", self._text(each, set(custom))
        if ref in self.turns and self.shape is ChartShape.TEMPLATES:
            yield from self._turn(each, self.turns[ref])

    def _turn(self, each: Exported, turn: Turn) -> Iterator[tuple[str, str]]:
        """Say that an object is a hook; yield the hook that removes it with the release, which Helm itself does not."""
        ref = each.ref
        self.warnings.append(Problem(what=str(ref), why=f"is a hook of the chart ({turn.hook.events}): {turn.why}"))
        if turn.hook is Hook.ONCE:
            self.notes.append(f"{ref.kind} {ref.name} belongs to the release from its first upgrade on.")
            return
        body: Object = {"apiVersion": each.body["apiVersion"], "kind": ref.kind, "metadata": {"name": ref.name}}
        if ref.kind not in WEBHOOKS:  # which call nobody without any webhooks
            body = {**each.body, "metadata": {"name": ref.name}}
        if ref.namespace:
            body["metadata"]["namespace"] = ref.namespace
        body["metadata"]["annotations"] = {HOOK: "pre-delete", f"{HOOK}-delete-policy": REMOVED}
        yield f"templates/uninstall/{each.path}", self._guarded(ref, each.body, self.template.text(body))

    def _text(self, each: Exported, custom: set[Ref]) -> str:
        ref, level = each.ref, each.level
        if self._is_value(each.body):
            return self._secret(ref, each.body, level)
        body = self._dynamic(ref, each.body, each.bindings)
        body = self.parameters.of(self._encoded(ref, body))
        turn = self.turns.get(ref)
        hooked = turn and self.shape is ChartShape.TEMPLATES
        text = self.template.text(self._hooked(each, body) if hooked else self._marked(body, level))
        if ref in self.never_ready:
            text = self._switched_off(ref, text, self.never_ready[ref], "Helm would wait for it in vain")
        elif turn and turn.hook is Hook.AFTER and not hooked:
            text = self._switched_off(ref, text, turn.why, "it would refuse the objects of the bundle before it runs")
        text = self._optional(each, text, custom)
        text = self._guarded(ref, each.body, text)
        if (ref.group, ref.kind) == ("", "Service"):
            self._reach(each.body)
        return text

    def _held(self, each: Exported, custom: set[Ref]) -> str:
        """Return the template of an object of the bundle: a restore resolves its bindings, and needs no hooks."""
        ref, body = each.ref, each.body
        lines = [to_json(binding) for binding in each.bindings]
        for binding in each.bindings:
            place = str(ref), binding.use.pointer, binding.chain.text()
            self.dynamic[place] = "the restore of the bundle looks it up"
        body = self.parameters.of(self._encoded(ref, body))
        body = self._marked(body, each.level)
        if lines:
            meta = body["metadata"]
            notes = meta["annotations"] | {BINDINGS: json.dumps(lines, ensure_ascii=False)}
            body |= {"metadata": meta | {"annotations": notes}}
        return self._optional(each, self.template.text(body), custom)

    def _is_value(self, body: Object) -> bool:
        """Return whether an object is a Secret whose content is in the values."""
        return confidential(body) and self.mode is not SecretMode.EXTERNAL

    def _optional(self, each: Exported, text: str, custom: set[Ref]) -> str:
        """Return a template that is rendered where its kind is wanted, and known."""
        ref = each.ref
        if (ref.group, ref.kind) in OPTIONAL:
            text = f"{{{{- if .Values.enabled.{ref.kind} }}}}\n{text}{{{{ end }}}}\n"
        if not is_built_in(ref.group) and not any(ref.group == one.name.partition(".")[2] for one in custom):
            has = f"{each.body['apiVersion']}/{ref.kind}"
            text = f'{{{{- if .Capabilities.APIVersions.Has "{has}" }}}}\n{text}{{{{ end }}}}\n'
            self.notes.append(f"{ref.kind} {ref.name} is installed where the cluster has {has}.")
        return text

    def _guarded(self, ref: Ref, body: Object, text: str) -> str:
        """Return the template of a cluster-scoped object that leaves those of others alone."""
        if ref.namespace:
            return text
        version = body["apiVersion"]
        names = {"has": f"{version}/{ref.kind}", "version": version, "kind": ref.kind}
        shown = {key: json.dumps(value, ensure_ascii=False) for key, value in names.items()}
        return OWN.format(text=text, name=self.template.literal(ref.name), **shown)

    def _hooked(self, each: Exported, body: Object) -> Object:
        """Return an object as a hook, with the marks by which Helm knows it as the release's."""
        turn, body = self.turns[each.ref], self._marked(body, each.level, MANAGED)
        meta = body["metadata"]
        notes = dict(meta["annotations"])
        notes["meta.helm.sh/release-name"] = self.template.action(".Release.Name")
        notes["meta.helm.sh/release-namespace"] = self.template.action(".Release.Namespace")
        if turn.hook is Hook.ONCE:
            has = json.dumps(f"{each.body['apiVersion']}/{each.ref.kind}")
            text = LATER.format(has=has, events=turn.hook.events, weight=each.level)
            notes |= dict([self.template.insert(text)])
            notes["helm.sh/resource-policy"] = "keep"  # a rollback to the revision of the install would delete it
        else:
            notes |= {HOOK: turn.hook.events, f"{HOOK}-weight": str(each.level)}
        return body | {"metadata": meta | {"annotations": notes}}

    def _switched_off(self, ref: Ref, text: str, why: str, else_: str) -> str:
        """Return a template that is rendered only when its switch is on.

        Args:
            ref: the object.
            text: its template.
            why: the reason.
            else_: what would happen with it.
        """
        key = key_of(f"{ref.kind}-{ref.name}")
        self.values.note(("enabled",), "Optional parts.")
        reading = self.values.add(("enabled", key), default=False, comment=f"{why}: {else_}")
        self.notes.append(f"{ref.kind} {ref.name} is not installed, since {why}: set enabled.{key} for it.")
        reason = f"is switched off in the chart (enabled.{key}): {why}, and {else_}"
        self.problems.append(Problem(what=str(ref), why=reason))
        return f"{{{{- if {reading} }}}}\n{text}{{{{ end }}}}\n"

    def _marked(self, body: Object, level: int, own: Mapping[str, str] = MappingProxyType({})) -> Object:
        """Return an object with `own` labels and those of the values, and with its level in annotations."""
        meta = dict(body["metadata"])
        if meta.get("labels") or own:
            meta["labels"] = {**(meta.get("labels") or {}), **own, **dict([self.template.insert(LABELS)])}
        else:
            meta.update(dict([self.template.insert(NEW_LABELS)]))
        notes = {WAVE: str(level), GROUP: f"level-{level}"}
        meta["annotations"] = {**(meta.get("annotations") or {}), **notes}
        return body | {"metadata": meta}

    def _encoded(self, ref: Ref, body: Object) -> Object:
        """Return an object with the source's namespace in base64, where a template can have no action."""
        name = ENCODED.get((ref.group, ref.kind), "")
        for key, value in (body.get(name) or {}).items():
            data, release = base64.b64decode(value), self.release.encode()
            if release in data:
                kept = base64.b64encode(data.replace(release, self.namespace.encode())).decode()
                body = change(body, (name, key), lambda _, kept=kept: kept)  # type: ignore[misc] # mypy cannot type the default
                why = f"{name}.{key} names the namespace in bytes: it keeps the name of the source"
                self.problems.append(Problem(what=str(ref), why=why))
        return body

    def _dynamic(self, ref: Ref, body: Object, bindings: Iterable[Binding]) -> Object:
        """Return an object with values of the chart for those of the source cluster, in any text but encoded ones."""
        words: dict[Binding, str] = {}
        for each in bindings:
            place = str(ref), each.use.pointer, each.chain.text()
            if "base64" in each.use.layers:
                chain = each.chain.text().replace(self.release, NAMESPACE_WORD)
                self.notes.append(f"{ref.kind} {ref.name} {each.use.pointer} holds {chain} of the source: change it.")
                self.dynamic[place] = "kept: it is inside encoded text"
                continue
            found = self.lookups.of(each.chain, each.use.value)
            words[each] = self.template.inline(found.expression)
            if found.note:
                self.notes.append(f"{found.note}; used by {ref.kind} {ref.name}.")
            self.dynamic[place] = found.how
        return bind(body, words, words.__getitem__)[0] if words else body

    def _secret(self, ref: Ref, body: Object, level: int) -> str:
        """Return the template of a Secret whose content is in the values."""
        at = ("secrets", key_of(ref.name))
        existing = reading_of_secret(self.values, ref.name)
        entries = {}
        for key in keys(body):
            text, binary = _clear(body, key)
            included = self.mode is SecretMode.INCLUDE
            if binary:
                default = text if included else ""
                reading = self.values.add((*at, "base64", key), default, "Content in base64.")
                function = ""
            else:
                reading = self.values.add(
                    (*at, "values", key), text.replace(self.release, NAMESPACE_WORD) if included else ""
                )
                function = f' | replace "{NAMESPACE_WORD}" .Release.Namespace | b64enc'
            if not included and text:
                need = f"set the value, or secrets.{at[1]}.existingSecret"
                reading = f'required "Secret {ref.name}, {key}: {need}" {reading}'
            entries[key] = self.template.raw(f"{{{{ {reading}{function} | quote }}}}")
        rest = {name: value for name, value in body.items() if name not in ("data", "stringData")}
        text = self.template.text(self._marked(rest | {"data": entries}, level))
        return f"{{{{- if not {existing} }}}}\n{text}{{{{ end }}}}\n"

    def _namespace(self, body: Object) -> None:
        meta = body["metadata"]
        for part, word in (("labels", "label"), ("annotations", "annotate")):
            for key, value in (meta.get(part) or {}).items():
                self.notes.append(f"kubectl {word} namespace RELEASE-NAMESPACE {shlex.quote(f'{key}={value}')}")

    def _reach(self, body: Object) -> None:
        spec = body.get("spec") or {}
        ports = [port.get("port") for port in spec.get("ports") or [] if port.get("protocol", "TCP") == "TCP"]
        if ports and spec.get("selector") and spec.get("type") != "ExternalName":
            self.services.append((body["metadata"]["name"], ports[0]))


NAMESPACE_WORD = "RELEASE-NAMESPACE"
"""The word for the release's namespace in values and notes: Helm does not read values as templates."""


def _clear(body: Object, key: str) -> tuple[str, bool]:
    """Return the content of one key of a Secret; base64, and True, if it is no text."""
    if key in (body.get("stringData") or {}):
        return str(body["stringData"][key]), False
    encoded = body["data"][key] or ""
    try:
        return base64.b64decode(encoded).decode(), False
    except ValueError:
        return encoded, True
