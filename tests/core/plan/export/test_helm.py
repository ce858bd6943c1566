"""The text of a chart: what is a value, what stays text. What Helm makes of it is seen in tests/cluster/export."""

import base64
import gzip
import json

import pytest
import yaml

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import Binding
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.index import Source
from kubeferry.tasks.core.lookup.steps import Read, Start
from kubeferry.tasks.core.lookup.uses import Use
from kubeferry.tasks.core.models.options_export import SecretMode
from kubeferry.tasks.core.plan.export.helm.chart import Chart
from kubeferry.tasks.core.plan.export.helm.extras import chart_name, extras
from kubeferry.tasks.core.plan.export.helm.releases import Releases
from kubeferry.tasks.core.plan.export.helm.text import Template
from kubeferry.tasks.core.plan.export.helm.values import Values, reading
from kubeferry.tasks.core.plan.export.helm.waiting import never_ready
from kubeferry.tasks.core.plan.export.objects import Exported

RELEASE = "kf-0123456789abcdef"


def obj(kind, name, api_version="v1", **fields):
    meta = {"name": name, "namespace": RELEASE}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, **fields}


def workload(kind, name, **spec):
    container = {"name": "main", "image": "nginx:1", "resources": {"limits": {"cpu": "1"}}}
    template = {"spec": {"containers": [container], **spec.pop("pod", {})}}
    return obj(kind, name, "apps/v1", spec={"template": template, **spec})


def charted(*objects, mode=SecretMode.INCLUDE, secrets=(), never=None, definitions=()):
    """Return the files of a chart, and its values."""
    refs = [Ref.of(each) for each in objects]
    chart, files = Chart("shop", RELEASE, refs, mode, secrets, never or {}), {}
    for number, each in enumerate(objects):
        made = Exported(refs[number], f"02-x/{each['metadata']['name']}.yaml", each, 3)
        files |= dict(chart.files(made, definitions))
    files |= dict(extras(chart, "backup b"))
    return files, yaml.safe_load(files["values.yaml"]), chart


def text_of(files, name):
    (found,) = [text for path, text in files.items() if path.endswith(f"/{name}.yaml")]
    return found


def test_what_looks_like_a_template_stays_text():
    files, _, _ = charted(obj("ConfigMap", "a", data={"x": "{{ .Values.y }} }} {{{{", "file": "a\n{{- end }}\n"}))
    text = text_of(files, "a")
    assert '{{ "{{" }} .Values.y }} }} {{ "{{" }}{{ "{{" }}' in text
    assert '{{ "{{" }}- end }}' in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (RELEASE, '"{{ .Release.Namespace }}"'),
        (f"http://web.{RELEASE}.svc:80", '"http://web.{{ .Release.Namespace }}.svc:80"'),
        (f'say "{RELEASE}"\t{{{{', '"say \\"{{ .Release.Namespace }}\\"\\t{{ "{{" }}"'),
    ],
)
def test_the_namespace_of_the_release_is_named_in_quotes_since_it_may_be_a_number(text, written):
    assert Template(RELEASE).text({"v": text}) == f"v: {written}\n"


def test_a_file_of_several_lines_names_the_release_too():
    assert Template(RELEASE).text({"v": f"a\nb {RELEASE}\n"}) == "v: |\n  a\n  b {{ .Release.Namespace }}\n"


def test_an_action_is_a_value_of_any_type():
    template = Template(RELEASE)
    assert template.text({"v": template.action(".Values.x")}) == "v: {{ .Values.x | toJson }}\n"


@pytest.mark.parametrize(
    ("path", "expression"),
    [(("a", "b"), ".Values.a.b"), (("a", "b-c"), '(index .Values "a" "b-c")'), (("a", "1"), '(index .Values "a" "1")')],
)
def test_a_value_is_read_whatever_its_name(path, expression):
    assert reading(path) == expression


def test_values_have_comments_and_a_schema_of_their_types():
    values = Values()
    values.note(("group",), "A group,\nin two lines.")
    values.add(("group", "yes"), "no", "A word.")
    values.add(("group", "count"), 2)
    values.add(("group", "port"), None)
    values.add(("map",), {"a": 1})
    assert values.text() == (
        "# A group,\n# in two lines.\ngroup:\n  # A word.\n  'yes': 'no'\n  count: 2\n  port: null\nmap:\n  a: 1\n"
    )
    schema = json.loads(values.schema())
    assert schema["properties"]["group"]["properties"] == {
        "yes": {"description": "A word.", "type": "string"},
        "count": {"type": ["integer", "null"]},
        "port": {},
    }
    assert schema["properties"]["map"] == {"type": "object"}


def test_a_workload_has_its_replicas_images_and_resources_as_values():
    files, values, _ = charted(workload("Deployment", "web", replicas=2))
    assert values["workloads"]["web"] == {
        "replicas": 2,
        "containers": {"main": {"image": "nginx:1", "resources": {"limits": {"cpu": "1"}}}},
    }
    text = text_of(files, "web")
    assert "replicas: {{ .Values.workloads.web.replicas | toJson }}" in text
    assert "image: {{ .Values.workloads.web.containers.main.image | toJson }}" in text


def test_two_workloads_of_one_name_have_values_of_their_own():
    _, values, _ = charted(workload("Deployment", "web", replicas=2), workload("StatefulSet", "web", replicas=3))
    assert {name: each["replicas"] for name, each in values["workloads"].items()} == {
        "web-deployment": 2,
        "web-statefulset": 3,
    }


def test_a_secret_is_a_value_or_an_existing_one_and_who_uses_it_follows():
    secret = obj("Secret", "db", data={"password": "aHVudGVyMg==", "bin": "6f8="})
    pod = {"volumes": [{"name": "s", "secret": {"secretName": "db"}}], "imagePullSecrets": [{"name": "other"}]}
    files, values, _ = charted(secret, workload("Deployment", "web", pod=pod), secrets=["db"])
    assert values["secrets"]["db"] == {
        "existingSecret": "",
        "values": {"password": "hunter2"},
        "base64": {"bin": "6f8="},
    }
    assert text_of(files, "db").startswith("{{- if not .Values.secrets.db.existingSecret }}\n")
    assert 'secretName: {{ .Values.secrets.db.existingSecret | default "db" | toJson }}' in text_of(files, "web")
    assert "- name: other\n" in text_of(files, "web")


def test_the_value_of_an_omitted_secret_is_required_and_nowhere_in_the_chart():
    secret = obj("Secret", "db", data={"password": "aHVudGVyMg=="})
    files, values, _ = charted(secret, mode=SecretMode.OMIT, secrets=["db"])
    assert values["secrets"]["db"]["values"] == {"password": ""}
    assert 'required "Secret db, password: set the value' in text_of(files, "db")
    assert not [path for path, text in files.items() if "hunter2" in text or "aHVudGVyMg" in text]


def test_an_ingress_has_its_hosts_as_values_also_in_its_certificates():
    rules = [{"host": "a.example.com"}, {"host": "b.example.com"}, {}]
    spec = {"ingressClassName": "edge", "rules": rules, "tls": [{"hosts": ["a.example.com", "c.example.com"]}]}
    files, values, _ = charted(obj("Ingress", "web", "networking.k8s.io/v1", spec=spec))
    assert values["ingresses"]["web"] == {
        "className": "edge",
        "hosts": {"host": "a.example.com", "host1": "b.example.com", "host2": "c.example.com"},
    }
    text = text_of(files, "web")
    assert text.count(".Values.ingresses.web.hosts.host |") == 2
    assert "c.example.com" not in text
    assert text.startswith("{{- if .Values.enabled.Ingress }}")


@pytest.mark.parametrize(
    ("kind", "group", "spec", "values"),
    [
        (
            "Gateway",
            "gateway.networking.k8s.io/v1",
            {"gatewayClassName": "edge", "listeners": [{"name": "a", "hostname": "a.example.com"}, {"name": "b"}]},
            ("gateways", {"className": "edge", "hosts": {"host": "a.example.com"}}),
        ),
        (
            "HTTPRoute",
            "gateway.networking.k8s.io/v1",
            {"hostnames": ["a.example.com", "b.example.com"]},
            ("httproutes", {"hosts": {"host": "a.example.com", "host1": "b.example.com"}}),
        ),
        (
            "Route",
            "route.openshift.io/v1",
            {"host": "a.example.com"},
            ("routes", {"hosts": {"host": "a.example.com"}}),
        ),
    ],
)
def test_gateways_and_routes_have_their_hosts_as_values(kind, group, spec, values):
    files, given, _ = charted(obj(kind, "web", group, spec=spec))
    assert given[values[0]]["web"] == values[1]
    assert "example.com" not in text_of(files, "web")


def test_a_node_port_is_the_cluster_s_unless_it_is_set():
    spec = {"type": "NodePort", "ports": [{"name": "http", "port": 80, "nodePort": 30080}, {"port": 81}]}
    files, values, _ = charted(obj("Service", "web", spec=spec))
    assert values["services"]["web"] == {"type": "NodePort", "nodePorts": {"http": None}}
    assert "it was 30080" in files["values.yaml"]
    assert "nodePort: {{ ternary nil .Values.services.web.nodePorts.http" in text_of(files, "web")


def test_what_every_namespace_has_is_not_in_the_chart():
    account = obj("ServiceAccount", "default")
    files, _, _ = charted(
        account, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RELEASE, "labels": {"a": "b"}}}
    )
    assert not [path for path in files if "02-x" in path]
    assert "kubectl label namespace {{ .Release.Namespace }} a=b" in files["templates/NOTES.txt"]


def test_a_definition_is_where_helm_installs_it_first_and_its_objects_need_no_guard():
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.x.io"},
    }
    thing, other = obj("Thing", "one", "x.io/v1"), obj("Other", "two", "y.io/v1")
    files, _, _ = charted(crd, thing, other, definitions=[Ref.of(crd)])
    assert "crds/things.x.io.yaml" in files
    assert not text_of(files, "one").startswith("{{-")
    assert text_of(files, "two").startswith('{{- if .Capabilities.APIVersions.Has "y.io/v1/Other" }}')


def test_a_cluster_scoped_object_of_somebody_else_is_used_as_it_is():
    named = f"{RELEASE}:reader"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": named},
        "rules": [],
    }
    files, _, _ = charted(role)
    text = text_of(files, named)
    assert 'lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" (printf "%s:reader" $.Release.Namespace)' in text
    assert '(eq $own (printf "%s/%s" .Release.Namespace .Release.Name))' in text


def test_each_object_tells_its_level_and_takes_labels():
    files, _, _ = charted(obj("ConfigMap", "a"))
    assert "argocd.argoproj.io/sync-wave: '3'" in text_of(files, "a")
    assert "helm.sh/resource-group: level-3" in text_of(files, "a")
    assert "{{- with .Values.labels }}" in text_of(files, "a")


def test_what_helm_would_wait_for_in_vain_is_switched_off_and_reported():
    suspended = obj("Job", "j", "batch/v1", spec={"suspend": True, "template": {"spec": {"containers": []}}})
    lazy = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "lazy"}}
    lazy["volumeBindingMode"] = "WaitForFirstConsumer"
    claims = [
        obj("PersistentVolumeClaim", name, spec={"storageClassName": "lazy"}) for name in ("free", "used", "data-db-0")
    ]
    pod = {"volumes": [{"persistentVolumeClaim": {"claimName": "used"}}]}
    db = workload("StatefulSet", "db", pod=pod, volumeClaimTemplates=[{"metadata": {"name": "data"}}])
    objects = {Ref.of(each): each for each in [suspended, lazy, *claims, db]}
    never = never_ready({}, objects, objects.__getitem__)
    assert sorted(ref.name for ref in never) == ["free", "j"]
    files, values, chart = charted(suspended, never=never)
    assert values["enabled"]["Job-j"] is False
    assert text_of(files, "j").startswith('{{- if (index .Values "enabled" "Job-j") }}')
    assert [each.what for each in chart.problems] == [f"Job.batch {RELEASE}/j"]


def test_a_character_that_helm_cannot_read_is_a_problem():
    files, _, chart = charted(obj("ConfigMap", "a", data={"x": "\x85"}))
    assert not [path for path in files if path.endswith("/a.yaml")]
    assert "U+0085" in chart.problems[0].why


@pytest.mark.parametrize(
    ("name", "legal"), [("shop", "shop"), ("a.b", "a-b"), ("-x-", "x"), ("...", "chart"), ("A1", "a1")]
)
def test_the_name_of_a_chart_is_legal(name, legal):
    assert chart_name(name) == legal


def record(name, version, **more):
    body = {"name": name, "version": version, "chart": {"metadata": {"name": "nginx", "version": "1.2.3"}}, **more}
    text = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(body).encode()))).decode()
    secret = obj("Secret", f"sh.helm.release.v1.{name}.v{version}", data={"release": text})
    return secret | {"type": "helm.sh/release.v1"}


def test_what_helm_installed_belongs_to_its_own_chart():
    owned = obj("ConfigMap", "a")
    owned["metadata"] |= {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "web"},
    }
    labelled = obj("ConfigMap", "b")
    labelled["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    releases = Releases()
    found = [
        releases.takes(each)
        for each in (owned, labelled, record("web", 1), record("web", 10, config={"a": 1}), record("web", 9))
    ]
    assert found == [True, False, True, True, True]
    (row,) = releases.rows()
    assert (row.what, row.why.partition(":")[0]) == ("Helm release web", "chart nginx 1.2.3")
    assert releases.values() == [("releases/web.values.yaml", "a: 1\n")]


def test_a_value_of_the_source_is_one_of_the_chart_and_a_longer_one_is_not():
    web = Ref("", "Service", RELEASE, "web")
    text, source = "10.0.0.1:80 10.0.0.10 110.0.0.1", Source(web, "/spec/clusterIP")
    chain = Chain((Start(web), Read("clusterIP", "IPv4", 0)))
    found = obj("ConfigMap", "a", data={"url": text, "conf": f"x {text}\ny\n"})
    ref = Ref.of(found)
    bindings = [
        Binding(ref, Use(f"/data/{key}", (), "10.0.0.1", source), chain, "service-ip") for key in ("url", "conf")
    ]
    chart = Chart("shop", RELEASE, [ref], SecretMode.INCLUDE)
    ((_, written),) = chart.files(Exported(ref, "02-x/a.yaml", found, 1, tuple(bindings)), [])
    reads = '{{ include "kubeferry.address.Service-web-spec-clusterIP" $ }}:80 10.0.0.10 110.0.0.1'
    assert f'url: "{reads}"' in written
    assert f"    x {reads}\n" in written
    values = yaml.safe_load(chart.values.text())
    assert values["addresses"] == {"Service-web-spec-clusterIP": ""}
    assert '| default $found | default "10.0.0.1" -}}' in chart.lookups.text()


def test_a_name_is_no_part_of_a_template_whatever_it_holds():
    """RBAC takes nearly any name (ValidatePathSegmentName): whoever may create a Role must not write our template."""
    name = 'a"}} {{ fail "x" }}'
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [],
    }
    thing = obj("Thing", "b {{ fail }}", "x.io/v1")
    files, _, _ = charted(role, thing)
    text = next(text for path, text in files.items() if "lookup" in text)
    assert f'"ClusterRole" "" {json.dumps(name)} }}}}{{{{ end }}}}\n' in text
    assert """name: a"}} {{ "{{" }} fail "x" }}\n""" in text
    assert 'Thing b {{ "{{" }} fail }} is installed' in files["templates/NOTES.txt"]


def test_bytes_that_name_the_namespace_keep_the_name_of_the_source():
    found = obj(
        "ConfigMap", "a", binaryData={"x": base64.b64encode(f"\xff web.{RELEASE}.svc".encode("latin-1")).decode()}
    )
    ref = Ref.of(found)
    chart = Chart("shop", RELEASE, [ref], SecretMode.INCLUDE, namespace="shop")
    ((_, text),) = chart.files(Exported(ref, "02-x/a.yaml", found, 1), [])
    assert base64.b64encode(b"\xff web.shop.svc").decode() in text
    assert "it keeps the name of the source" in chart.problems[0].why


def test_what_helm_lint_does_not_like_is_said():
    _, _, chart = charted(obj("Endpoints", "db", subsets=[]))
    (row,) = chart.warnings
    assert "helm lint --strict" in row.why
