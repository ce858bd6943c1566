"""An address as the first label of a pod's DNS name is found and written in dashes."""

import pytest

from kubeferry.tasks.core.formats.links import Links
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.substitute import substitute
from kubeferry.tasks.core.lookup.uses import Index, scan


@pytest.mark.parametrize(
    ("old", "text", "new", "expected"),
    [
        (
            "10.1.2.3",
            "https://10-1-2-3.shop.pod.cluster.local/",
            "10.9.8.7",
            "https://10-9-8-7.shop.pod.cluster.local/",
        ),
        ("fd00:1::9", "fd00-1--9.shop.pod", "fd00:2::1", "fd00-2--1.shop.pod"),
        ("10.1.2.3", "10-1-2-3.example.com", "10.9.8.7", "10-1-2-3.example.com"),
    ],
)
def test_dashed(old, text, new, expected):
    index = Index()
    index.add(Ref("", "Pod", "shop", "web"), Links("u", (), {"/status/podIP": old}))
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": text}}
    assert substitute(obj, scan(obj, index), lambda _: new)[0]["data"] == {"a": expected}
