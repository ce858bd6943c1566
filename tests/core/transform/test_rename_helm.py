"""Helm's record of a release moves with its release, so that the next upgrade touches nothing of the old namespace."""

import base64
import gzip
import json

import pytest
import yaml

from kubeferry.tasks.core.jsondoc.yaml_text import documents, edited
from kubeferry.tasks.core.transform.rename.classes import Known, Skip
from kubeferry.tasks.core.transform.rename.rewrite import rename

KNOWN = Known.of([("services", "shop", "db"), ("secrets", "shop", "tls")])
NAMES = {"shop": "copy"}

MANIFEST = """---
# Source: app/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: app   # shop
  namespace: shop
data:
  mode: "0o644"
  namespace: shop
  url: 'http://db.shop:80'
  nginx.conf: |
    upstream a { server db.shop.svc:80; }
    # --- é shop
  last: x
---
# Source: app/templates/binding.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: app}
subjects: [{kind: ServiceAccount, name: app, namespace: "shop"}]
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: app}
"""

WANTED = (
    MANIFEST.replace("  namespace: shop\ndata", '  namespace: "copy"\ndata')
    .replace("'http://db.shop:80'", '"http://db.copy:80"')
    .replace(
        "|\n    upstream a { server db.shop.svc:80; }\n    # --- é shop\n",
        '"upstream a { server db.copy.svc:80; }\\n# --- é shop\\n"\n',
    )
    .replace("{name: app}\nsubjects", '{name: "app-copy"}\nsubjects')
    .replace('namespace: "shop"}', 'namespace: "copy"}')
)

RELEASE = {
    "name": "app",
    "namespace": "shop",
    "version": 3,
    "manifest": MANIFEST,
    "hooks": [{"name": "test", "manifest": "apiVersion: v1\nkind: Pod\nmetadata: {name: t, namespace: shop}\n"}],
    "config": {"db": {"host": "db.shop"}, "shop": "shop"},
    "chart": {"values": {"host": "db.shop"}, "templates": [{"name": "x", "data": "c2hvcA=="}]},
}


def packed(release, *, zipped=True):
    data = json.dumps(release).encode()
    return base64.b64encode(gzip.compress(data, mtime=0) if zipped else data).decode()


def unpacked(text):
    data = base64.b64decode(text)
    return json.loads(gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)


def secret(release):
    twice = base64.b64encode(release.encode()).decode()
    meta = {"name": "sh.helm.release.v1.app.v3", "namespace": "shop", "labels": {"owner": "helm"}}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": meta,
        "data": {"release": twice},
    }


def test_a_release_is_renamed_and_nothing_else_of_it_changes():
    after = rename(secret(packed(RELEASE)), NAMES, known=KNOWN)
    release = unpacked(base64.b64decode(after.obj["data"]["release"]))
    assert release == RELEASE | {
        "namespace": "copy",
        "manifest": WANTED,
        "hooks": [{"name": "test", "manifest": 'apiVersion: v1\nkind: Pod\nmetadata: {name: t, namespace: "copy"}\n'}],
        "config": {"db": {"host": "db.copy"}, "shop": "shop"},
    }
    (rewrite,) = after.rewrites
    assert (rewrite.rule, rewrite.path, rewrite.old, rewrite.new) == ("helm", "/data/release", "shop", "copy")


def test_a_release_comes_back():
    there = rename(secret(packed(RELEASE)), NAMES, known=KNOWN).obj
    known = Known.of([("services", "copy", "db")])
    back = unpacked(base64.b64decode(rename(there, {"copy": "shop"}, known=known).obj["data"]["release"]))
    assert {key: back[key] for key in back if key not in ("manifest", "hooks")} == {
        key: RELEASE[key] for key in RELEASE if key not in ("manifest", "hooks")
    }
    config, binding = yaml.safe_load_all(back["manifest"])
    assert config == next(yaml.safe_load_all(MANIFEST))
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "app", "namespace": "shop"}]


def test_a_release_in_a_config_map_and_without_gzip():
    meta = {"name": "app.v1", "namespace": "shop", "labels": {"owner": "helm"}}
    kept = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "data": {"release": packed(RELEASE, zipped=False)},
    }
    after = rename(kept, NAMES, known=KNOWN).obj
    assert unpacked(after["data"]["release"])["manifest"] == WANTED


def test_what_is_switched_off_stays_in_the_release_too():
    assert rename(secret(packed(RELEASE)), NAMES, known=KNOWN, skip=Skip(frozenset({"helm"}))).rewrites == ()
    after = rename(secret(packed(RELEASE)), NAMES, known=KNOWN, skip=Skip(frozenset({"host"})))
    assert "'http://db.shop:80'" in unpacked(base64.b64decode(after.obj["data"]["release"]))["manifest"]


def test_a_manifest_that_python_cannot_read_gets_its_namespaces_at_least():
    odd = "kind: X\nmetadata:\n  namespace: shop\nspec: {a: @x}\n---\nmetadata: {namespace: bank}\n"
    after = rename(secret(packed(RELEASE | {"manifest": odd, "hooks": ["x", {"manifest": 1}]})), NAMES, known=KNOWN)
    release = unpacked(base64.b64decode(after.obj["data"]["release"]))
    assert release["manifest"] == odd.replace("namespace: shop", 'namespace: "copy"')
    assert release["hooks"] == ["x", {"manifest": 1}]


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!",
        packed([]),
        packed("x"),
        packed(RELEASE)[:400] + "====",
        base64.b64encode(b"\x1f\x8bx").decode(),
        base64.b64encode(gzip.compress(b"{}", mtime=0)[:-3]).decode(),
        packed({"namespace": "bank"}),
        packed({"namespace": ["shop"]}),
        packed(RELEASE | {"config": nested(600)}),
    ],
)
def test_what_is_no_release_of_a_renamed_namespace_is_left(text):
    before = secret(text)
    assert rename(before, NAMES, known=KNOWN).obj["data"] == before["data"]


def test_a_bomb_is_left_alone():
    before = secret(base64.b64encode(gzip.compress(b" " * (70 << 20), 1)).decode())
    assert rename(before, NAMES, known=KNOWN).obj["data"] == before["data"]


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
MERGES = "a: &a {x: y}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{','.join([f'*{chr(97 + n)}'] * 9)}]}}\n" for n in range(20)
)


NESTED = [each * 100_000 for each in ("[", "{b: ", "- ", "? ")]
NESTED += ["\n".join(" " * n + "a:" for n in range(3000)), "{" + "[" * 50_000 + "]" * 50_000 + "}"]


@pytest.mark.parametrize("text", [LAUGHS, MERGES, "a: &a [*a]", "a: &a\n  b: *a", *NESTED])
def test_aliases_that_stand_for_more_than_fits_into_memory_are_left(text):
    assert edited(text, walked) is None


def walked(value):
    if isinstance(value, dict):
        return {key: walked(item) for key, item in value.items()}
    return [walked(item) for item in value] if isinstance(value, list) else f"{value}!"


def test_a_text_that_resists_is_searched_in_one_pass():
    odd = "namespace: shop\n" + "\n" * 100_000 + "{"
    after = rename(secret(packed(RELEASE | {"manifest": odd})), NAMES, known=KNOWN)
    release = unpacked(base64.b64decode(after.obj["data"]["release"]))
    assert release["manifest"] == odd.replace("shop", '"copy"')


BOMBS = {
    "one letter": {"manifest": "a" * (60 << 20)},
    "many documents": {"manifest": "---\n" * 60_000},
    "many hooks": {"hooks": [{"manifest": "---\n" * 500}] * 100},
    "many values": {"config": {"a": [[]] * 5_000_000}},
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_small_secret_that_unpacks_to_much_is_left_alone_and_told(bomb):
    stored = secret(packed(RELEASE | BOMBS[bomb]))
    after = rename(stored, NAMES, known=KNOWN)
    assert len(stored["data"]["release"]) < 200_000
    assert after.obj["data"] == stored["data"]
    assert "unpacks to more than one that Helm writes" in after.unread


def test_a_record_inside_a_record_is_none():
    """Each could unpack to many times what the one around it does."""
    inner = yaml.safe_dump(secret(packed(RELEASE)))
    after = rename(secret(packed(RELEASE | {"manifest": inner})), NAMES, known=KNOWN)
    (found,) = yaml.safe_load_all(unpacked(base64.b64decode(after.obj["data"]["release"]))["manifest"])
    assert found["data"] == yaml.safe_load(inner)["data"]
    assert after.unread == ""


@pytest.mark.parametrize("text", ["", "!", "AAAA", base64.b64encode(b"{}").decode() + "=="])
def test_a_record_that_cannot_be_read_is_told(text):
    stored = {**secret(packed(RELEASE)), "data": {"release": base64.b64encode(text.encode()).decode()}}
    after = rename(stored, NAMES, known=KNOWN)
    assert after.obj["data"] == stored["data"]
    assert "none that can be read" in after.unread


def test_documents_are_the_text_again():
    assert "---".join(documents(MANIFEST)) == MANIFEST
    assert len(documents(MANIFEST)) == 3


@pytest.mark.parametrize("text", ["a: &x old\nb: *x\n", "base: &b {a: old}\nc: {<<: *b}\n", "a: [", "a: {b: @}"])
def test_text_in_which_a_value_has_no_place_of_its_own_is_not_edited(text):
    def edit(value):
        return value | ({"c": {"a": "new"}} if "c" in value else {"a": "new"})

    assert edited(text, edit) is None


def test_a_list_in_a_manifest_is_renamed_item_by_item():
    item = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: shop}}"
    listed = f"kind: List\napiVersion: v1\nitems:\n- {item}\n- x\n"
    after = rename(secret(packed(RELEASE | {"manifest": listed})), NAMES, known=KNOWN).obj
    release = unpacked(base64.b64decode(after["data"]["release"]))
    assert release["manifest"] == listed.replace("shop", '"copy"')
