"""What the API server's refusals of new objects say: what is missing, who denies, and what is no refusal of the object.

The wording is that of the apiserver's own admission plugins (plugin/pkg/admission), which has been the same for years;
what a webhook writes is never taken for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DENIED = re.compile(r'admission webhook "(?P<webhook>[^"]+)" denied|ValidatingAdmissionPolicy \'(?P<policy>[^\']+)\'')
_RIGHT = re.compile(r"is forbidden: User .* cannot (create|patch|update) resource ")
_NO_DRY_RUN = re.compile(r"does not support dry run|dryRun.*not supported")
_QUOTA = re.compile(r"is forbidden: exceeded quota: (?P<name>[^, ]+),")
_NO_AMOUNT = re.compile(r"is forbidden: failed quota: (?P<name>[^: ]+): must specify")
_POD_INVALID = re.compile(r'^Pod "[^"]*" is invalid: ')
_POD = re.compile(r'^pods "[^"]*" is forbidden: ')
_QUOTED = r'"(?:[^"\\]|\\.)*"|[{\[].*[}\]](?=: |$)|[^:,]*?(?=[:,\]]|$)'
_VALUE = re.compile(rf"((?:Invalid|Unsupported|Duplicate) value): (?:{_QUOTED})")

_MISSING = (
    (
        re.compile(r'error looking up service account [^:]*: serviceaccount "(?P<name>[^"]+)" not found'),
        "serviceaccount",
    ),
    (re.compile(r"no PriorityClass with name (?P<name>\S+) was found"), "priorityclass"),
    (re.compile(r'RuntimeClass "(?P<name>[^"]+)" not found'), "runtimeclass"),
    (re.compile(r'(?:^|[ :])(?P<kind>[A-Za-z]+)(?:\.[a-z0-9.-]+)? "(?P<name>[^"]+)" not found'), ""),
)

SUBSTITUTES: dict[str, tuple[str, ...]] = {
    "serviceaccount": ("serviceAccountName", "serviceAccount"),
    "priorityclass": ("priorityClassName", "priority", "preemptionPolicy"),
    "runtimeclass": ("runtimeClassName", "overhead"),
}
"""What a pod names → the fields of its spec without which it can be asked about while that is not there."""


_NAMED_BY = {"rolebindings": ("Role", "ClusterRole"), "clusterrolebindings": ("ClusterRole",)}
"""Of a binding whose role is missing, the API server names the binding's own resource with the role's name."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What an object cannot be created without."""

    kind: str
    """Its kind or resource, in lower case."""
    name: str

    def is_a(self, kind: str, resource: str) -> bool:
        """Return whether a kind, or its resource, is meant."""
        return self.kind in {kind.lower(), resource} or kind in _NAMED_BY.get(self.kind, ())


def missing(text: str) -> Missing | None:
    """Return what a refusal says to be missing; None for another refusal, and for the words of a webhook."""
    if _DENIED.search(text):
        return None
    for pattern, kind in _MISSING:
        if found := pattern.search(text):
            return Missing(kind or found["kind"].lower(), found["name"])
    return None


def denied_by(text: str) -> tuple[str, str]:
    """Return the webhook and the policy that denied an object, "" for each that did not."""
    found = _DENIED.search(text)
    return (found["webhook"] or "", found["policy"] or "") if found else ("", "")


def is_no_refusal(text: str) -> bool:
    """Return whether an answer is about the request, not the object: a right that is missing, or no dry runs.

    Rights are reported as such. A webhook with side effects is not called in a dry run, which is refused then.
    """
    return bool(_RIGHT.search(text) or _NO_DRY_RUN.search(text))


def quota_of(text: str) -> str:
    """Return the quota that refused an object because of what there is besides it, "" for another refusal."""
    found = _QUOTA.search(text)
    return found["name"] if found else ""


def limited_by(text: str) -> str:
    """Return the quota that refused an object for what there is besides it, or for amounts that it does not name."""
    found = _QUOTA.search(text) or _NO_AMOUNT.search(text)
    return found["name"] if found else ""


def is_of_pod_alone(text: str) -> bool:
    """Return whether a pod is refused by its fields: its controller may complete those, so it says nothing of it."""
    return bool(_POD_INVALID.search(text))


def shown(text: str) -> str:
    """Return a refusal for a list, without the values of fields that it quotes, and without the name of a trial pod."""
    return _VALUE.sub(r"\1", _POD.sub("", text))
