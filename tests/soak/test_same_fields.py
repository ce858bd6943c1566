"""Versions of built-in kinds that a restore takes for the same have the same fields in the Go types of k8s.io/api."""

import itertools
import re

import pytest
from tests.support.go_modules import download

from kubeferry.tasks.core.kube.schemas.versions import SAME_FIELDS

pytestmark = pytest.mark.soak(minutes=1)

RELEASES = {
    "v0.33.12": "h1:XxoFmt5RfiBRQM5jNzFwfHCSnJ4CK+fE4xmHvIxvdQw=",
    "v0.37.2": "h1:PnxqnUFy93jr2GcpWDkKOm8wfy25kT9wa572MuQS8oc=",
}
"""Release and its checksum: the older one has versions that the newer one has no more."""

FOLDERS = {"": "core", "rbac.authorization.k8s.io": "rbac", "flowcontrol.apiserver.k8s.io": "flowcontrol"}


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    return [
        download("k8s.io/api", version, checksum, tmp_path_factory.mktemp("go"))
        for version, checksum in RELEASES.items()
    ]


def structs(folder):
    """Return the fields of each struct in a package: JSON name → type."""
    found = {}
    for file in folder.glob("types*.go"):
        text = re.sub(r"//.*", "", re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL))
        for name, body in re.findall(r"^type (\w+) struct \{(.*?)^\}", text, re.DOTALL | re.MULTILINE):
            found[name] = dict(fields(body))
    return found


def fields(body):
    for line in body.splitlines():
        tag = re.search(r'json:"([\w-]*)', line)
        words = line.split()
        if tag and words:
            yield (
                tag[1] or words[0],
                re.sub(r"\b\w*v\d\w*\.", "", words[1] if not words[1].startswith("`") else words[0]),
            )


def lacking(old, new, kind):
    """Return the fields below the spec of a kind that the older version has and the newer one has not."""
    found, ahead, seen = [], [kind], set()
    while ahead:
        name = ahead.pop()
        if name in seen or name not in old:
            continue
        seen.add(name)
        for field, what in old[name].items():
            if field == "status" and name == kind:
                continue
            if field not in new.get(name, {}):
                found.append(f"{name}.{field}")
            ahead += re.findall(r"\w+", what)
    return found


def age(version):
    """Return the place of a version in time: v1alpha1, v1beta1, v1, v2beta2, v2."""
    number, stage, minor = re.fullmatch(r"v(\d+)(alpha|beta)?(\d*)", version).groups()
    return int(number), ("alpha", "beta", None).index(stage), int(minor or 0)


@pytest.mark.parametrize(("group", "kind"), sorted(SAME_FIELDS))
def test_a_newer_version_has_every_field_of_the_older_ones(releases, group, kind):
    compared = 0
    for versions in SAME_FIELDS[group, kind]:
        for release in releases:
            package = release / FOLDERS.get(group, group.partition(".")[0])
            there = [structs(package / each) for each in sorted(versions, key=age) if (package / each).exists()]
            having = [each for each in there if kind in each]
            for old, new in itertools.pairwise(having):
                assert lacking(old, new, kind) == []
                compared += 1
    assert compared


def test_the_comparison_sees_what_has_changed(releases):
    networking = releases[1] / "networking"
    found = lacking(structs(networking / "v1beta1"), structs(networking / "v1"), "Ingress")
    assert "IngressBackend.serviceName" in found
