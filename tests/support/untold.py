"""What a restore lost, changed or added without a word: a comparison that knows nothing of Kubeferry's own rules.

Two live objects are compared leaf by leaf, with their status, finalizers, owners and field managers. What a cluster
gives an object by itself is in one table here, written from the API reference. Everything else has to be said by the
results of the backup and the restore, with the object and the place.
"""

import json
import re

from tests.support.random_markers import marked

GIVEN = {
    "*": (
        r"/metadata/(uid|resourceVersion|generation|creationTimestamp|namespace)",
        r"/metadata/(managedFields|ownerReferences|finalizers)(/.*)?",
    ),
    "Namespace": (r"/metadata/(name|labels/kubernetes.io~1metadata.name)", r"/spec/finalizers/.*"),
    "Service": (r"/spec/clusterIPs?(/\d+)?", r"/spec/ports/\d+/nodePort", r"/spec/healthCheckNodePort"),
    "PersistentVolumeClaim": (r"/spec/volumeName", r"/metadata/annotations/(pv|volume)\..*"),
    "Pod": (r"/spec/nodeName", r"/metadata/labels/topology\..*", r"/spec/.*kube-api-access.*"),
    "Deployment": (r"/metadata/annotations/deployment\.kubernetes\.io~1revision",),
    "Job": (r".*/labels/(batch\.kubernetes\.io~1)?controller-uid", r"/spec/selector/.*controller-uid"),
    "Endpoints": (r"/metadata/annotations/endpoints\.kubernetes\.io~1last-change-trigger-time",),
    "EndpointSlice": (r"/metadata/annotations/endpoints\.kubernetes\.io~1last-change-trigger-time",),
}
"""Kind → pointers of what each cluster gives an object; "*" is for every kind."""

FIXED = re.compile(r"kube-api-access-[a-z0-9]{5}")
OWN_FINALIZERS = {"kubernetes.io/pvc-protection", "kubernetes", "customresourcecleanup.apiextensions.k8s.io"}
CUSTOM = {"Widget", "Gadget"}


class Said:
    """What results say: of which objects, and of which places."""

    def __init__(self, *results):
        self.left_out, self.whole, self.places = set(), set(), set()
        for result in results:
            self.left_out |= {(each.type.partition(".")[0], each.name) for each in result.left_out}
            self.whole |= {(each.type.partition(".")[0], each.name) for each in getattr(result, "notable", [])}
            for each in [*result.losses, *getattr(result, "rewrites", [])]:
                kind, name = _named(each.object)
                self.places.add((kind, name, each.path.partition(" ")[0]))
                if not each.path:
                    self.whole.add((kind, name))
        self.words = "\n".join(f"{each.object} {each.why}" for result in results for each in result.losses)

    def of(self, ref):
        """Return whether an object as a whole is spoken of."""
        return (ref.kind, ref.name) in self.whole | self.left_out

    def at(self, ref, pointer):
        """Return whether a place is spoken of, or one that it is part of."""
        steps = pointer.split("/")
        return any((ref.kind, ref.name, "/".join(steps[: end + 1])) in self.places for end in range(1, len(steps)))


def _named(text):
    kind, _, path = text.partition(" ")
    return kind.partition(".")[0], path.rpartition("/")[2]


def untold(before, after, names, said, templates):
    """Yield what differs between the objects of a namespace before and after, and is not said.

    Args:
        before: identity → object, as it was.
        after: identity → object, as it is on the target.
        names: old name → new name of namespaces.
        said: what the results say.
        templates: those of the namespace: what stands where they have markers is another test's.
    """
    marks = {
        (each["kind"], each["metadata"]["name"], pointer(place)) for each in templates for place, _ in marked(each)
    }
    there = {(ref.kind, _new(ref, names)): obj for ref, obj in after.items()}
    for ref, old in before.items():
        new = there.get((ref.kind, _new(ref, names)))
        if new is None and not (said.of(ref) or _controlled(old)):
            yield f"{ref} is not there"
        if new is None or (ref.kind, ref.name) in said.left_out:
            continue
        yield from (
            f"{ref} {at}: {was!r} is {now!r}"
            for at, was, now in differences(old, new)
            if not (_given(ref.kind, at) or said.at(ref, at) or (ref.kind, ref.name, at) in marks)
        )
        yield from (f"{ref} {line}" for line in _about(ref, old, new, names, said))
    kept = {(ref.kind, _new(ref, names)) for ref in before}
    for ref, new in after.items():
        if (ref.kind, ref.name) not in kept and ref.kind not in ("Bundle", "Lease") and not _controlled(new):
            yield f"{ref} was not there before"


def _new(ref, names):
    return names.get(ref.name, ref.name) if ref.kind == "Namespace" else ref.name


def _controlled(obj):
    owned = any(each.get("controller") for each in obj["metadata"].get("ownerReferences", []))
    labels, notes = obj["metadata"].get("labels", {}), obj["metadata"].get("annotations", {})
    made = "endpointslice.kubernetes.io/managed-by" in labels
    return owned or made or "endpoints.kubernetes.io/last-change-trigger-time" in notes


def _given(kind, at):
    if at.startswith("/status") and kind not in CUSTOM:
        return True
    return any(re.fullmatch(each, at) for each in (*GIVEN["*"], *GIVEN.get(kind, ())))


def _about(ref, old, new, names, said):
    lost = {*old["metadata"].get("finalizers", [])} - {*new["metadata"].get("finalizers", [])} - OWN_FINALIZERS
    yield from (
        f"has no finalizer {each}"
        for each in sorted(lost)
        if not re.search(rf"^{ref.kind}\S* \S*{ref.name} .*{re.escape(each)}", said.words, re.MULTILINE)
    )
    owners = [
        [(each["kind"], each["name"]) for each in obj["metadata"].get("ownerReferences", [])] for obj in (old, new)
    ]
    if sorted(owners[0]) != sorted(owners[1]) and not said.of(ref):
        yield f"has owners {owners[1]}, and had {owners[0]}"
    for each in old["metadata"].get("managedFields", []):
        if each["operation"] == "Apply" and _applied(each, names) not in [
            _applied(one, {}) for one in new["metadata"].get("managedFields", [])
        ]:
            yield f"is not {each['manager']}'s any more"
    for each in new["metadata"].get("managedFields", []):
        if "kubeferry" in each["manager"] and (owned := _paths(each["fieldsV1"])):
            yield f"has {owned} owned by {each['manager']}"


def _applied(entry, names):
    text = json.dumps(entry["fieldsV1"], sort_keys=True)
    for old, new in names.items():
        text = re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", new, text)
    return entry["manager"], entry["operation"], text


def _paths(fields, at=""):
    """Return the fields of an entry that are not its mark."""
    if fields:
        return [each for key, part in fields.items() for each in _paths(part, f"{at}/{key}")]
    return [] if "kubeferry.io" in at else [at]


def pointer(place):
    """Return a place as a JSON pointer."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in place)


def differences(old, new, at=""):
    """Yield (pointer, was, is) of each leaf that differs."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from differences(old.get(key), new.get(key), at + pointer((key,)))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            pair = [some[index] if index < len(some) else None for some in (old, new)]
            yield from differences(*pair, f"{at}/{index}")
    elif _plain(old) != _plain(new):
        yield at, old, new


def _plain(value):
    if value in ({}, []):
        return None
    return FIXED.sub("kube-api-access", value) if isinstance(value, str) else value
