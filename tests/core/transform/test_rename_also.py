"""--rewrite-also and --rewrite-rules rename what is left, in the places that are named and nowhere else."""

import base64
import json

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.models.rewriting import RewriteRule
from kubeferry.tasks.core.transform.modify.files import read_rewrite_rules
from kubeferry.tasks.core.transform.rename.also import Also
from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.left import Scan
from kubeferry.tasks.core.transform.rename.rewrite import rename

KNOWN = Known.of([("configmaps", "shop", "notes"), ("services", "shop", "db")])
NAMES = {"shop": "copy"}


def b64(text):
    return base64.b64encode(text.encode()).decode()


DATA = {
    "word": "open the shop, not the workshop",
    "base64": f"x {b64('in shop now')} y",
    "url": "go=%2Fns%2Fshop%2Fdb",
    "of shop": "z",
    "plain": "nothing",
}


def config(data=None, **more):
    meta = {"name": "notes", "namespace": "shop", **more}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": DATA if data is None else data}


def also(*asked, rules=(), names=NAMES):
    return Also.of(Scan(names, KNOWN), asked, rules)


def renamed(obj, *asked, rules=(), names=NAMES):
    return rename(obj, names, known=KNOWN, also=also(*asked, rules=rules, names=names))


NEW = {
    "word": "open the copy, not the workshop",
    "base64": f"x {b64('in copy now')} y",
    "url": "go=%2Fns%2Fcopy%2Fdb",
}


@pytest.mark.parametrize("how", [*NEW])
def test_a_class_takes_in_its_places_only(how):
    assert renamed(config(), how).obj["data"] == DATA | {how: NEW[how]}


def test_the_class_of_keys_renames_keys_in_their_order():
    data = renamed(config(), "key").obj["data"]
    assert [*data] == ["word", "base64", "url", "of copy", "plain"]


@pytest.mark.parametrize("place", ["/data/*", "ConfigMap shop/notes *", "ConfigMap copy/notes /data/*"])
def test_a_glob_takes_in_values_and_keys_by_either_name_of_the_object(place):
    data = renamed(config(), place).obj["data"]
    assert data == NEW | {"of copy": "z", "plain": "nothing"}


def test_a_glob_of_another_object_changes_nothing():
    assert renamed(config(), "ConfigMap shop/others *").obj["data"] == DATA


def test_at_a_named_place_a_word_is_the_namespace_though_it_is_not_listed():
    obj = config({"file": "shop.properties", "image": "shop"})
    assert not Scan(NAMES, KNOWN).left(obj)
    assert renamed(obj, "/data/file").obj["data"] == {"file": "copy.properties", "image": "shop"}


def test_the_own_name_of_an_object_stays():
    obj = config({}, name="shop")
    assert renamed(obj, "*").obj["metadata"] == {"name": "shop", "namespace": "copy"}


def test_a_key_that_is_there_is_not_overwritten():
    data = {"of shop": "1", "of copy": "2"}
    assert renamed(config(data), "*").obj["data"] == data


def test_a_rewrite_is_listed_and_shows_no_text_of_a_secret():
    obj = config({"a": b64("hunter2 of shop")}) | {"kind": "Secret"}
    done = renamed(obj, "/data/a")
    assert base64.b64decode(done.obj["data"]["a"]) == b"hunter2 of copy"
    assert [(each.path, each.old, each.new) for each in done.rewrites] == [("/data/a", "shop", "copy")]
    assert Scan(NAMES, KNOWN).losses(done.obj, done.rewrites) == ()


def test_names_that_are_swapped_are_replaced_at_once():
    names = {"shop": "bank", "bank": "shop"}
    obj = config({"a": "shop and bank", "NAMESPACE": "shop"})
    assert renamed(obj, "*", names=names).obj["data"] == {"a": "bank and shop", "NAMESPACE": "bank"}


def test_kubectls_copy_follows():
    applied = config({"a": "open shop"})
    key = "kubectl.kubernetes.io/last-applied-configuration"
    obj = config({"a": "open shop"}, annotations={key: json.dumps(applied)})
    done = renamed(obj, "/data/a").obj
    assert json.loads(done["metadata"]["annotations"][key])["data"] == {"a": "open copy"}


def test_a_rule_restricts_kind_place_and_text():
    data = {"a": "svc.shop.example, shop", "b": "svc.shop.example"}
    rule = RewriteRule(kind="Config*", place="/data/a", template="svc.{namespace}.example")
    assert renamed(config(data), rules=[rule]).obj["data"] == data | {"a": "svc.copy.example, shop"}
    assert renamed(config(data), rules=[rule.model_copy(update={"kind": "Secret"})]).obj["data"] == data


def test_a_template_may_have_the_name_twice_and_be_inside_of_base64():
    rule = RewriteRule(template="{namespace}:{namespace}!")
    data = {"a": f"{b64('is shop:shop! shop')} shop:shop"}
    assert renamed(config(data), rules=[rule]).obj["data"] == {"a": f"{b64('is copy:copy! shop')} shop:shop"}


def test_an_unknown_class_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="'dns'; the classes are word, base64, url, key"):
        also("dns")
    assert also() is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- template: shop", r"0/template: a template needs \{namespace\}"),
        ("- kin: x", "0/kin"),
        ("kind: x", "list"),
        ("- [", "is not YAML"),
    ],
)
def test_a_file_of_rules_that_is_wrong_is_refused_with_the_place(text, says):
    with pytest.raises(UsageError, match=f"it.*{says}"):
        read_rewrite_rules(text, "it")


def test_a_file_of_rules_is_read():
    assert read_rewrite_rules("- {place: /data/*}\n- {kind: Secret}\n", "it") == [
        RewriteRule(place="/data/*"),
        RewriteRule(kind="Secret"),
    ]
