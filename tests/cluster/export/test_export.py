"""An export, applied with kubectl alone, is the namespace that it was made from; and what it cannot say, it lists."""

import json

import pytest
import yaml
from tests.support.bench import A, B, definition
from tests.support.objects import an, claim, config_map, documents, secret, service, workload
from tests.support.yaml_documents import documents as read
from tests.support.yaml_documents import of_folder

from kubeferry.flows.export import export
from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.models.options_export import ExportOptions
from kubeferry.tasks.diff.compare import compared

SOURCES = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "token"}}]
SHOP = documents(
    config_map("settings", {"host": "web.NS.svc", "on": "off", "nginx.conf": "server {\n\tlisten 80;\n}\n"}),
    config_map("files", {"a.conf": "a\nb\n", "b.conf": "{{ .Values.x }}\n$(VAR)\n"}, labels={"app": "web"}),
    secret("token", {"password": "marked-secret-value"}, type="example.com/t"),
    service(type="NodePort"),
    claim(),
    workload("Deployment", pod={"containers": [{"name": "web", "image": "nginx:1.29", "envFrom": SOURCES}]}),
    workload("StatefulSet", "db", serviceName="db", replicas=2),
)
COPY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "address"}}


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace on A that is ready, with a ConfigMap that holds an address, and a backup of it."""
    ns = bench.namespace("shop")
    bench.make(SHOP.replace("NS", ns), ns)
    ip = bench.get("Service", ns, "web")["spec"]["clusterIP"]
    bench.make(yaml.safe_dump(COPY | {"data": {"url": f"http://{ip}:80/"}}), ns)
    bench.ready("Deployment", ns, "web")
    bench.ready("StatefulSet", ns, "db")
    return ns, bench.backup(ns)


@pytest.fixture
def exported(bench, shop, tmp_path):
    """Return a function that exports the shop's backup, and returns the result and the folder."""
    _, saved = shop

    def run(**options):
        out = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        asked = {"backup": saved.name, "out": str(out), "context": A, **bench.where, **options}
        return bench.run_flow(export(ExportOptions(**asked))), out

    return run


def applied(kubectl, sandbox_env, *arguments):
    return kubectl(sandbox_env, "apply", "--server-side", *arguments, context=B)


def settled(bench, saved, names):
    """Return what `kubeferry diff` finds between the backup and the second cluster."""
    asked = RestoreOptions(backup=saved.name, context=B, map=names, **bench.where)
    return compared(asked)


@pytest.mark.parametrize("form", ["yaml", "kustomize"])
def test_applied_with_kubectl_it_is_the_same_namespace(bench, shop, exported, kubectl, sandbox_env, form):
    ns, saved = shop
    copy = bench.name("copy")
    result, out = exported(format=form, map={ns: copy}, secrets="include")
    if form == "yaml":
        applied(kubectl, sandbox_env, "--recursive", "--filename", str(out))
    else:
        applied(kubectl, sandbox_env, "--kustomize", str(out / "overlays/default"))
    bench.ready("Deployment", copy, "web", B)
    bench.ready("StatefulSet", copy, "db", B)
    assert bench.get("ConfigMap", copy, "settings", B)["data"]["host"] == f"web.{copy}.svc"
    found = settled(bench, saved, {ns: copy})
    changed = {f"{each.type} {each.name}": [field.path for field in each.fields] for each in found.objects}
    assert changed == {"ConfigMap address": ["data.url"]}, "it holds the address of the source, as the result says"
    assert result.phase == "Partial"
    assert [(each.object, each.path) for each in result.dynamic] == [(f"ConfigMap {copy}/address", "/data/url")]


def test_kustomize_renders_the_objects_of_the_plain_files(bench, exported, kubectl, sandbox_env):  # noqa: ARG001 - a cluster
    _, plain = exported(secrets="include")
    _, out = exported(format="kustomize", secrets="include")
    rendered = kubectl(sandbox_env, "kustomize", str(out / "overlays/default"))
    assert read(rendered) == of_folder(plain)
    assert sorted(each.name for each in out.rglob("files.files/*")) == ["a.conf", "b.conf"], "files are files"
    overlay = yaml.safe_load((out / "overlays/default/kustomization.yaml").read_text())
    assert {"name": "web", "count": 1} in overlay["replicas"]


def test_secrets_are_left_out_unless_asked_and_listed_with_their_keys(exported):
    result, out = exported()
    assert [(each.object.split("/")[1], each.type, each.data_keys, each.how) for each in result.secrets] == [
        ("token", "example.com/t", ["password"], "omitted")
    ]
    text = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert "kind: Secret" not in text
    page = (out / "README.md").read_text()
    assert "kubectl create secret generic token -n" in page
    assert "--type=example.com/t --from-file=password=FILE" in page


def test_no_value_of_a_secret_is_anywhere_unless_they_are_included(exported, capfd):
    key = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
    for options in ({}, {"secrets": "external", "secret_store": "vault"}, {"secrets": "age", "encrypt_to": [key]}):
        result, out = exported(**options)
        text = "".join(path.read_text() for path in out.rglob("*") if path.is_file()) + result.model_dump_json()
        assert "marked-secret-value" not in text
        assert "bWFya2VkLXNlY3JldC12YWx1ZQ" not in text
    assert "marked-secret-value" not in "".join(capfd.readouterr())
    _, out = exported(secrets="include")
    (file,) = out.rglob("secret/token.yaml")
    assert yaml.safe_load(file.read_text())["data"]["password"] == "bWFya2VkLXNlY3JldC12YWx1ZQ=="
    assert file.stat().st_mode & 0o077 == 0


def test_each_secret_becomes_an_external_secret(exported):
    _, out = exported(secrets="external", secret_store="ClusterSecretStore/vault")
    (file,) = out.rglob("externalsecret.external-secrets.io/token.yaml")
    spec = yaml.safe_load(file.read_text())["spec"]
    assert spec["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "vault"}
    assert spec["target"] == {"name": "token", "template": {"type": "example.com/t"}}


def test_a_namespace_of_the_cluster_is_exported_as_it_is_now(bench, shop, exported):
    ns, _ = shop
    before = sorted(each.name for each in bench.folder.rglob("*"))
    result, out = exported(backup="", from_cluster=ns, include=["configmaps"], only=True)
    assert (result.name, result.store) == (ns, "")
    assert {kind for _, kind, _, _ in of_folder(out)} == {"ConfigMap", "Namespace"}
    assert sorted(each.name for each in bench.folder.rglob("*")) == before, "the store of backups is not used"


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_read(bench, shop, tmp_path):
    _, saved = shop
    (tmp_path / "mine.txt").write_text("mine")
    asked = ExportOptions(backup=saved.name, out=str(tmp_path), context="nowhere", **bench.where)
    with pytest.raises(UsageError, match="is not empty"):
        bench.run_flow(export(asked))
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_the_command_prints_a_stream_that_kubectl_takes(bench, shop, kubeferry, kubectl, sandbox_env, tmp_path):
    ns, saved = shop
    copy = bench.name("copy")
    where = ["--store", bench.where["store"], "--kubeconfig", bench.where["kubeconfig"], "--context", A]
    code, out, err = kubeferry("export", saved.name, "--out", "-", "--map", f"{ns}={copy}", *where)
    assert code == 3, err
    assert f"Secret {copy}/token is omitted; its keys: password" in err
    first = next(iter(read(out)))
    assert first[1:] == ("Namespace", "", copy)
    (tmp_path / "all.yaml").write_text(out)
    applied(kubectl, sandbox_env, "--filename", str(tmp_path / "all.yaml"))
    assert bench.get("ConfigMap", copy, "files", B)["data"]["b.conf"] == "{{ .Values.x }}\n$(VAR)\n"


def test_the_command_writes_a_folder_and_replaces_only_its_own_files(bench, shop, kubeferry, tmp_path):
    _, saved = shop
    where = ["--store", bench.where["store"], "--exclude-name", "configmaps/address", "-o", "json"]
    out = tmp_path / "shop"
    code, text, err = kubeferry("export", saved.name, "--as", "kustomize", "--out", str(out), *where)
    assert code == 0, err
    found = json.loads(text)
    assert (found["format"], found["out"], found["dynamic"]) == ("kustomize", str(out), [])
    code, _, err = kubeferry("export", saved.name, "--out", str(out), *where)
    assert (code, "--force replaces the files of an earlier export" in err) == (2, True)
    code, _, err = kubeferry("export", saved.name, "--out", str(out), "--force", *where)
    assert code == 0, err
    assert not (out / "base").exists()
    assert len(of_folder(out)) == found["objects"]


def test_a_secret_is_encrypted_for_sops(bench, shop, kubeferry, tmp_path):
    """For the recipient of the option; how values are encrypted: tests/core/plan/export/test_secrets.py."""
    _, saved = shop
    key, out = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", tmp_path / "shop"
    where = ["--out", str(out), "--store", bench.where["store"], "--exclude-name", "configmaps/address"]
    code, _, err = kubeferry("export", saved.name, "--secrets", "age", "--encrypt-to", key, *where)
    assert code == 0, err
    (file,) = out.rglob("secret/token.yaml")
    found = yaml.safe_load(file.read_text())
    assert found["data"]["password"].startswith("ENC[AES256_GCM,data:")
    assert found["sops"]["age"][0]["recipient"] == key
    assert found["sops"]["age"][0]["enc"].startswith("-----BEGIN AGE ENCRYPTED FILE-----\n")


def test_a_status_that_files_cannot_have_is_listed_and_one_that_is_data_is_there_with_finalizers_of_others(
    bench, tmp_path, kubeferry
):
    ns = bench.namespace()
    group, plain = f"own.{ns}.example.com", bench.crd(ns)
    with_status = yaml.safe_load(definition(group, "Widget"))
    with_status["spec"]["versions"][0]["subresources"] = {"status": {}}
    bench.make(yaml.safe_dump(with_status))
    held = config_map("held", {"a": "b"}, finalizers=["example.com/cleans-up"])
    widgets = [an(f"{each}/v1", "Widget", "one", status={"phase": "Done"}) for each in (group, plain)]
    bench.kind("Widget", f"{group}/v1")
    bench.make(documents(held, *widgets), ns)
    done = {"status": {"phase": "Done"}}
    bench.clusters[A].patch(bench.kind("Widget", f"{group}/v1"), ns, "one", done, subresource="status")
    saved = bench.backup(ns)
    bench.patch("ConfigMap", ns, "held", {"metadata": {"finalizers": []}})
    out = tmp_path / "out"
    asked = ("export", saved.name, "--as", "yaml", "--out", out, "--store", bench.where["store"], "-o", "json")
    code, printed, err = kubeferry(*map(str, asked))
    assert code == 0, err
    lost = [(each["object"], each["path"]) for each in json.loads(printed)["losses"]]
    assert lost == [(f"Widget.{group} {ns}/one", "/status")]
    assert f"Widget.{group} {ns}/one /status" in (out / "README.md").read_text()
    objects = of_folder(out).values()
    assert sorted(str(obj.get("status")) for obj in objects if obj["kind"] == "Widget") == ["None", "{'phase': 'Done'}"]
    (found,) = [obj for obj in objects if obj["metadata"]["name"] == "held"]
    assert found["metadata"]["finalizers"] == ["example.com/cleans-up"]
