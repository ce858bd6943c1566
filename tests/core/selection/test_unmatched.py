"""What is reported of a selection that matches nothing, so that a person sees the error in it."""

from kubeferry.tasks.core.kube.resources import words_of
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.selection.selector import Selector
from kubeferry.tasks.core.selection.unmatched import Unmatched


def unmatched(objects=(("Deployment", "web", {"app": "web"}), ("Secret", "web-db", {"app": "web"})), **options):
    made = Unmatched(Selector.of(RestoreOptions(backup="b", **options)))
    for kind, name, labels in objects:
        made.look(obj(kind, name, labels), words_of("", kind, (f"{kind.lower()}s",)))
    return made


def obj(kind, name, labels):
    meta = {"name": name, "namespace": "shop", "labels": labels, "annotations": {"note": "x" * 100}}
    return {"apiVersion": "v1", "kind": kind, "metadata": meta}


def test_each_part_is_counted_by_itself_and_what_is_there_is_shown():
    found = unmatched(selector="app=wbe", include=["deployments"]).nothing("shop")
    assert found == (
        "nothing in shop is selected by label app=wbe; kind deployments: of 2 objects 0 match label app=wbe, "
        "1 match kind deployments, and none matches all; label app is web there"
    )


def test_the_commonest_values_come_first_and_not_all_of_them():
    objects = [("Secret", f"s{n}", {"app": value}) for n, value in enumerate("aabbbcdde")]
    assert unmatched(objects, selector="app=x").nothing("b").endswith("label app is b, a, d and others there")


def test_a_long_annotation_is_cut():
    assert f"annotation note is {'x' * 63} there" in unmatched(annotation_selector="note=y").nothing("shop")


def test_names_that_are_spelled_alike_are_reported():
    assert unmatched(include_name=["secrets/web-bd"]).nothing("shop") == (
        "nothing in shop is selected by name secrets/web-bd: of 2 objects 0 match name secrets/web-bd; "
        "secrets/web-bd may mean web-db, web"
    )
    assert unmatched(include_name=["secrets/web-bd", "web"]).no_such_name() == (
        "nothing is named secrets/web-bd: secrets/web-bd may mean web-db, web"
    )
    assert unmatched(include_name=["zzz"]).no_such_name() == "nothing is named zzz"


def test_a_name_that_something_has_is_no_error_nor_is_a_wildcard():
    assert unmatched(include_name=["web", "secret/*", "secrets/tmp-*"], selector="app=x").no_such_name() == ""


def test_what_matches_nothing_and_is_no_error_is_reported_all_the_same():
    made = unmatched(include_name=["web", "tmp-*"], exclude_name=["web-db", "old", "old-*"])
    assert dict(made.unmatched()) == {
        "--include-name tmp-*": "nothing matches this name",
        "--exclude-name old": "nothing has this name, so nothing is excluded by it",
    }


def test_what_is_selected_and_never_included_is_the_reason():
    made = unmatched(selector="app=web")
    made.never = {"Pod shop/b": "later", "Pod shop/a": "left to its controller, ReplicaSet a"}
    assert made.nothing("shop") == (
        "what is selected in shop is never backed up: Pod shop/a and 1 more: left to its controller, ReplicaSet a"
    )


def test_tallies_of_many_parts_add_up():
    whole = unmatched(selector="app=x", include_name=["web-bd", "web"])
    parts = [
        unmatched([each], selector="app=x", include_name=["web-bd", "web"])
        for each in (("Deployment", "web", {"app": "web"}), ("Secret", "web-db", {"app": "web"}))
    ]
    parts[0].add(parts[1])
    assert parts[0].nothing("shop") == whole.nothing("shop")
    assert parts[0].no_such_name() == whole.no_such_name() != ""
    assert (parts[0].seen, parts[0].chosen) == (2, 0)
