"""What a kustomization says of the objects; what Kustomize makes of it is seen in tests/cluster/export."""

import pytest
import yaml

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.plan.export.kustomize import Kustomization, is_generated, name_of
from kubeferry.tasks.core.plan.export.objects import Exported


def config(data, name="settings", **more):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop"},
        "data": data,
        **more,
    }


def workload(kind, name, image="nginx:1", **spec):
    template = {"spec": {"containers": [{"name": "a", "image": image}]}}
    meta = {"name": name, "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta, "spec": {"template": template, **spec}}


def kustomized(*objects):
    made, files = Kustomization(), {}
    for number, obj in enumerate(objects):
        files |= dict(made.files(Exported(Ref.of(obj), f"02-config/x/{number}.yaml", obj)))
    return files, yaml.safe_load(made.base()), yaml.safe_load(made.overlay())


@pytest.mark.parametrize(
    ("obj", "is_so"),
    [
        (config({"a.conf": "x\ny\n"}), True),
        (config({"a.conf": "x\ny\n", "b": "one line"}), False),
        (config({}), False),
        (config({"a.conf": "x\ny\n"}, binaryData={"b": "AA=="}), False),
        (config({"a.conf": "x\r\ny\n"}), False),
        (config({"..data": "x\ny\n"}), False),
        (config({"A": "x\ny\n", "a": "x\ny\n"}), False),
        (config({"a.conf": "x\ny\n"}) | {"kind": "Secret"}, False),
    ],
)
def test_a_config_map_of_whole_files_is_generated(obj, is_so):
    assert is_generated(obj) == is_so


def test_a_generated_config_map_keeps_its_name_labels_and_being_immutable():
    obj = config({"a.conf": "x\ny\n"}, immutable=True)
    obj["metadata"] |= {"labels": {"app": "web"}, "annotations": {"note": "1"}}
    files, base, _ = kustomized(obj)
    assert files == {"base/02-config/x/settings.files/a.conf": "x\ny\n"}
    assert base["resources"] == []
    assert base["configMapGenerator"] == [
        {
            "name": "settings",
            "namespace": "shop",
            "files": ["a.conf=02-config/x/settings.files/a.conf"],
            "options": {
                "disableNameSuffixHash": True,
                "labels": {"app": "web"},
                "annotations": {"note": "1"},
                "immutable": True,
            },
        }
    ]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("nginx", "nginx"),
        ("nginx:1.29", "nginx"),
        ("registry:5000/shop/web", "registry:5000/shop/web"),
        ("registry:5000/shop/web:1@sha256:ab", "registry:5000/shop/web"),
    ],
)
def test_the_name_of_an_image(image, name):
    assert name_of(image) == name


def test_the_overlay_names_images_replicas_and_hosts():
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "a.b", "namespace": "shop"},
        "spec": {"rules": [{"host": "a.example.com"}, {}, {"host": "yes"}]},
    }
    web = workload("Deployment", "web", replicas=3)
    _, _, overlay = kustomized(web, workload("StatefulSet", "db", "db@sha256:ab", replicas=1), ingress)
    assert (overlay["namespace"], overlay["resources"]) == ("shop", ["../../base"])
    assert overlay["images"] == [{"name": "db", "newName": "db"}, {"name": "nginx", "newName": "nginx"}]
    assert overlay["replicas"] == [{"name": "db", "count": 1}, {"name": "web", "count": 3}]
    (patch,) = overlay["patches"]
    assert patch["target"] == {"group": "networking.k8s.io", "version": "v1", "kind": "Ingress", "name": "^a\\.b$"}
    assert yaml.safe_load(patch["patch"]) == [
        {"op": "replace", "path": "/spec/rules/0/host", "value": "a.example.com"},
        {"op": "replace", "path": "/spec/rules/2/host", "value": "yes"},
    ]


def test_hosts_of_gateways_and_certificates_are_in_the_overlay():
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1beta1",
        "kind": "Gateway",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"listeners": [{"name": "a"}, {"name": "b", "hostname": "b.example.com"}]},
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"tls": [{"hosts": ["a.example.com"]}]},
    }
    _, _, overlay = kustomized(gateway, ingress)
    first, second = overlay["patches"]
    assert (first["target"]["version"], yaml.safe_load(first["patch"])) == (
        "v1beta1",
        [{"op": "replace", "path": "/spec/listeners/1/hostname", "value": "b.example.com"}],
    )
    assert yaml.safe_load(second["patch"])[0]["path"] == "/spec/tls/0/hosts/0"


def test_two_kinds_of_one_name_with_other_replicas_are_left_alone():
    """Kustomize sets replicas by name alone, so one of the two would get those of the other."""
    _, _, overlay = kustomized(workload("Deployment", "web", replicas=3), workload("StatefulSet", "web", replicas=1))
    assert "replicas" not in overlay
    _, _, overlay = kustomized(workload("Deployment", "web", replicas=3), workload("StatefulSet", "web"))
    assert "replicas" not in overlay


def binding(namespace):
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
    meta = {"name": "b", "namespace": "shop"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "subjects": [subject],
    }


@pytest.mark.parametrize(("namespace", "is_so"), [("shop", True), ("other", False)])
def test_the_namespace_is_not_named_where_kustomize_would_change_a_subject_of_another(namespace, is_so):
    _, _, overlay = kustomized(binding(namespace), config({"a": "b"}))
    assert ("namespace" in overlay) == is_so


def test_the_namespace_is_not_named_where_kustomize_would_give_a_subject_one():
    found = binding("shop")
    found["subjects"] = [{"kind": "ServiceAccount", "name": "server"}]
    _, _, overlay = kustomized(found, config({"a": "b"}))
    assert "namespace" not in overlay


def test_of_several_namespaces_none_is_named():
    other = config({"a": "b"}, "x")
    other["metadata"]["namespace"] = "bank"
    _, _, overlay = kustomized(config({"a": "b"}), other)
    assert "namespace" not in overlay
