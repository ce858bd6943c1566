"""Which objects of an archive are restored: what the options say, what that needs, and what no restore carries."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.reasons import Reason, ReasonCode
from kubeferry.tasks.core.jsondoc.edit import Object, get
from kubeferry.tasks.core.kube.kinds import BUILT_IN, NAMESPACE, short_names_of
from kubeferry.tasks.core.kube.objects import Ref, annotations_of, labels_of
from kubeferry.tasks.core.kube.resources import Words, names_defined, words_of
from kubeferry.tasks.core.models.options import ClusterWide
from kubeferry.tasks.core.needs.cluster_scoped import CRD
from kubeferry.tasks.core.needs.edges import controller_edges
from kubeferry.tasks.core.needs.implicit import Implied
from kubeferry.tasks.core.selection.exclusions import exclusion
from kubeferry.tasks.core.selection.namespaces import choose_namespaces, unmatched
from kubeferry.tasks.core.selection.policy import ClusterContext, Policy
from kubeferry.tasks.core.selection.resource_types import check_namespaces
from kubeferry.tasks.core.selection.selector import Selector
from kubeferry.tasks.core.selection.unmatched import Unmatched
from kubeferry.tasks.core.transform.strip.apart import RESTORE_STATUS, plain_statuses
from kubeferry.tasks.core.transform.strip.portable import strip
from kubeferry.tasks.plan.outside import OutsideObjects, is_outside
from kubeferry.tasks.plan.unpacked import archived_object

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.formats.layout import Member
    from kubeferry.tasks.core.formats.links import Links
    from kubeferry.tasks.core.graph.order import Edge
    from kubeferry.tasks.plan.state import Archived, Source

FIRST = (NAMESPACE, CRD)
"""Kinds that come before all levels, in steps of their own."""

DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io"


class Choice:
    """What the options say about the objects of an archive, gathered object by object."""

    def __init__(self, source: Source) -> None:
        """Read the options.

        Raises:
            UsageError: they cannot be read, or name a namespace that the backup does not hold.
        """
        self.options = source.options
        self.backup = f"backup {self.options.backup}"
        self.selector = Selector.of(self.options)
        ours = source.backup.manifest is not None
        self.keep = Policy(completed_jobs=True) if ours else Policy()
        self.around = ClusterContext() if ours else _surroundings(source)
        self.rules = source.rules
        self.outside = OutsideObjects(source.backup.manifest)
        self.held = dict(_held(source, self.outside))
        self.spaces = choose_namespaces(self.held, self.options, self.backup)
        self.implied = Implied()
        self.tally = Unmatched(self.selector)
        self.selected: dict[Ref, str] = {}
        self.barred: dict[Ref, Reason] = {}
        """What is in the archive and stays out whoever needs it, by its identity on the target, with the reason."""
        self.leads: list[Edge] = []
        """From what is selected and never carried to the controller that makes it."""
        self._defined = _defined(source) if self.selector.asked_kinds else {}
        self._words: dict[tuple[str, str, str], Words] = {}
        self.plain_status = _plain_status(source)
        """Types without a status subresource, as `GROUP/VERSION/KIND`."""
        self.statuses: set[str] = set()
        """The kinds of --status of which there is an object."""

    @property
    def narrowed(self) -> bool:
        """Return whether some namespaces of the backup are left out."""
        return self.spaces != self.held.keys()

    def text(self) -> str:
        """Return what is asked for in one line, "" for everything."""
        spaces = f"namespace {' or '.join(sorted(self.spaces))}" if self.narrowed else ""
        return "; ".join(each for each in (spaces, self.selector.text()) if each)

    def elsewhere(self, member: Member) -> bool:
        """Return whether an object is in a namespace that is not asked for, or is that namespace."""
        if self.outside.is_elsewhere(member):
            return False
        space = member.name if member.group_resource == "namespaces" else member.namespace
        return bool(space) and space not in self.spaces

    def unasked(self, ref: Ref, member: Member) -> bool:
        """Return whether an object is from outside of the namespaces, and such are not to be restored."""
        carried = self.options.cluster_wide is ClusterWide.CARRY
        return not carried and is_outside(ref, elsewhere=self.outside.is_elsewhere(member))

    def bar(self, target: Ref, why: Reason) -> None:
        """Keep an object out whoever needs it."""
        self.barred[target] = why

    def why_barred(self, ref: Ref) -> str:
        """Return why an object stays out whoever needs it, or ""."""
        return self.barred[ref].text if ref in self.barred else ""

    def why_never(self, obj: Object) -> Reason | None:
        """Return why no restore carries an object, or None."""
        return exclusion(obj, self.around, self.keep) or self.rules.exclusion(obj)

    def portable(self, obj: Object) -> Object:
        """Return an object without what only its old cluster meant: again for what we wrote, needed for others'."""
        plain = "status" in obj and f"{obj['apiVersion']}/{obj['kind']}" in self.plain_status
        keep = replace(self.keep, status=True) if plain else self.keep
        return self.rules.without_dynamic(strip(obj, self.around, keep))

    def with_status(self, obj: Object, member: Member) -> bool:
        """Return whether the status of an object is restored: asked for by kind, by its annotation, or by a plug-in."""
        ref = Ref.of(obj)
        asked = {each.lower() for each in self.options.status} & self.words(ref, member)
        self.statuses |= asked
        return bool(asked) or annotations_of(obj).get(RESTORE_STATUS) == "true" or self.rules.restores_status(ref)

    def look(self, obj: Object, member: Member, target: Ref) -> None:
        """Note whether an object of the archive is selected, under its identity on the target."""
        words = self.words(Ref.of(obj), member)
        self.tally.look(obj, words)
        if why_not := self.selector.why_not(Ref.of(obj), words):
            self.bar(target, Reason(ReasonCode.EXCLUDED, detail=why_not))
        elif why := self._why(obj, words):
            self.selected[target] = why

    def look_at_never(self, obj: Object, member: Member, target: Ref, links: Links, why: Reason) -> None:
        """Note whether an object that is never carried is selected: that means the controller that makes it."""
        words = self.words(Ref.of(obj), member)
        self.tally.look(obj, words)
        if self.selector.narrow and (selected := self.selector.why(obj, words)):
            self.tally.never[str(Ref.of(obj))] = why.text
            if why.code is ReasonCode.LEFT_TO_CONTROLLER:
                self.selected[target] = selected
                self.leads += controller_edges(target, links)

    def _why(self, obj: Object, words: Words) -> str:
        ref = Ref.of(obj)
        if not self.selector.narrow and (why := self.outside.why(ref)):
            return why
        if (ref.group, ref.kind) == CRD and not self.selector.narrow:
            return ""  # it is in where something of its kind is
        return self.selector.why(obj, words)

    def words(self, ref: Ref, member: Member) -> Words:
        """Return all that a user may call the kind of an object."""
        plural = member.group_resource.partition(".")[0]
        key = (ref.group, ref.kind, plural)
        if key not in self._words:
            others = (plural, *short_names_of(*key[:2]), *self._defined.get(key[:2], ()))
            self._words[key] = words_of(*key[:2], others)
        return self._words[key]

    def check(self) -> None:
        """Refuse what the backup does not hold: a typing error must not make a restore silently smaller.

        Raises:
            UsageError: a kind or a name that nothing in it has.
        """
        selector, held = self.selector, frozenset[str]().union(*self._words.values())
        asked = selector.kinds | {name.kind for name in selector.names if name.kind}
        known = held | _built_in() if selector.asked_kinds - held else held
        for word in sorted((asked - held) | (selector.asked_kinds - known)):
            near = get_close_matches(word, held, 1)
            raise UsageError(f"{self.backup} holds no kind {word!r}" + (f": is it {near[0]}?" if near else ""))
        check_namespaces(selector)
        if unmet := self.tally.no_such_name():
            raise UsageError(f"{self.backup}: {unmet}")

    def unmatched(self) -> Iterator[tuple[str, str]]:
        """Yield what was asked for and matches nothing, with a word about it."""
        yield from unmatched(self.held, self.options.exclude_namespace)
        yield from self.tally.unmatched()
        for word in sorted({each.lower() for each in self.options.status} - self.statuses):
            yield f"--status {word}", "nothing in the backup has that kind and a status"


def _held(source: Source, outside: OutsideObjects) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each namespace of the archive with its labels; those come with its Namespace object, if there is one."""
    for each in source.archived:
        if each.member.namespace and not outside.is_elsewhere(each.member):
            yield each.member.namespace, {}
    for each in _all(source, "namespaces"):
        yield each.member.name, labels_of(archived_object(source, each))


def _defined(source: Source) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return what the CRDs of the archive call the kinds that they define."""
    return dict(names_defined(archived_object(source, each)) for each in _all(source, DEFINITIONS))


def _plain_status(source: Source) -> frozenset[str]:
    manifest = source.backup.manifest
    told = manifest.plain_status if manifest else ()
    definitions = _all(source, DEFINITIONS)
    return frozenset(told).union(*(plain_statuses(archived_object(source, each)) for each in definitions))


def _all(source: Source, group_resource: str) -> Iterator[Archived]:
    return (each for each in source.archived if each.member.group_resource == group_resource)


def _built_in() -> Words:
    """Return all names of Kubernetes' own kinds: who excludes one of them need not know whether the backup has any."""
    words = (words_of(*key, (found.plural, *found.short_names)) for key, found in BUILT_IN.items())
    return frozenset[str]().union(*words)


def _surroundings(source: Source) -> ClusterContext:
    """Return what strip has to know of an archive that holds live objects, as Velero writes it."""
    services, volumes = set(), set()
    for each in source.archived:
        if each.member.group_resource == "services":
            services |= {each.member.name} if get(archived_object(source, each), "spec", "selector") else set()
        if each.member.group_resource == "persistentvolumes":
            provisioned = annotations_of(archived_object(source, each)).get("pv.kubernetes.io/provisioned-by")
            volumes |= set() if provisioned else {each.member.name}
    return ClusterContext(frozenset(services), frozenset(volumes))
