"""Which objects a user asks for, by each way of asking, and how that is described."""

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.kinds import BUILT_IN
from kubeferry.tasks.core.kube.label_selectors import parse_selector
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import words_of
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.selection.selector import Name, Selector, text_of

DEPLOYMENTS = words_of("apps", "Deployment", ("deployments", "deploy"))


def made(kind="Deployment", group="apps", name="web", namespace="shop"):
    meta = {"name": name, "labels": {"app": "web"}, "annotations": {"note": "1"}}
    return {
        "apiVersion": f"{group}/v1" if group else "v1",
        "kind": kind,
        "metadata": meta | ({"namespace": namespace} if namespace else {}),
    }


def asked(**options):
    return Selector.of(RestoreOptions(backup="b", **options))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, "in namespace shop"),
        ({"selector": "app=web"}, "selected by label app=web"),
        ({"selector": "app=api"}, ""),
        ({"annotation_selector": "note"}, "selected by annotation note"),
        ({"annotation_selector": "!note"}, ""),
        ({"selector": "app in (web,api),!old"}, "selected by label app in (api,web), label !old"),
        ({"include": ["deployment"]}, "selected by kind Deployment"),
        ({"include": ["Deployments.Apps"]}, "selected by kind Deployment"),
        ({"include": ["deploy"]}, "selected by kind Deployment"),
        ({"include": ["pods", "deploy.apps"]}, "selected by kind Deployment"),
        ({"include": ["deployment.extensions"]}, ""),
        ({"include": ["pod"]}, ""),
        ({"include_name": ["web"]}, "selected by name web"),
        ({"include_name": ["deployments/web"]}, "selected by name deployments/web"),
        ({"include_name": ["Deploy/w?b"]}, "selected by name deploy/w?b"),
        ({"include_name": ["api", "w*"]}, "selected by name w*"),
        ({"include_name": ["services/web"]}, ""),
        ({"include_name": ["we"]}, ""),
        ({"include_name": ["Web"]}, ""),
        ({"exclude": ["deployments"]}, ""),
        ({"exclude": ["secrets"]}, "in namespace shop"),
        ({"exclude_name": ["deployment/web"]}, ""),
        ({"exclude_name": ["deployment/w*"]}, ""),
        ({"exclude_name": ["service/web"]}, "in namespace shop"),
        ({"include_name": ["web"], "exclude_name": ["w*"]}, ""),
        (
            {"selector": "app", "include": ["deploy"], "include_name": ["web"]},
            "selected by label app, kind Deployment, name web",
        ),
        ({"selector": "app", "include": ["pods"], "include_name": ["web"]}, ""),
    ],
)
def test_all_that_is_asked_has_to_be_met(options, why):
    assert asked(**options).why(made(), DEPLOYMENTS) == why


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({}, ""),
        ({"exclude": ["deploy"]}, "its kind is excluded"),
        ({"exclude_name": ["x", "deployments/w*"]}, "excluded by name deployments/w*"),
        ({"include": ["secrets"], "selector": "no=one"}, ""),
    ],
)
def test_why_an_object_is_excluded_and_not_just_not_asked_for(options, why):
    assert asked(**options).why_not(Ref.of(made()), DEPLOYMENTS) == why


def test_a_namespace_is_never_excluded_by_name():
    obj = made("Namespace", "", "shop", namespace="")
    words = words_of("", "Namespace", ("namespaces", "ns"))
    selector = asked(exclude_name=["shop", "ns/shop"])
    assert selector.why_not(Ref.of(obj), words) == ""
    assert selector.why(obj, words) == "a namespace of the backup"


def test_what_is_cluster_wide_is_asked_for_like_the_rest():
    role, words = (
        made("ClusterRole", "rbac.authorization.k8s.io", "shop:reader", namespace=""),
        words_of("r", "ClusterRole"),
    )
    assert asked().why(role, words) == "cluster-scoped, and everything is selected"
    assert asked(include_name=["clusterrole/shop:*"]).why(role, words) == "selected by name clusterrole/shop:*"


@pytest.mark.parametrize("name", ["a*b", "[x]", "what?", "["])
def test_a_name_with_a_wildcard_in_it_is_meant_by_itself(name):
    role = made("ClusterRole", "rbac.authorization.k8s.io", name, namespace="")
    assert asked(include_name=[name]).why(role, words_of("", "ClusterRole"))


@pytest.mark.parametrize("text", ["", "/", "/web", "deployments/", "a/b/c", "a b", "x/ y", "web\n"])
def test_what_is_no_name_is_refused(text):
    for option in ("include", "exclude"):
        with pytest.raises(UsageError, match=rf"^--{option}-name .*write NAME or KIND/NAME"):
            asked(**{f"{option}_name": [text]})


def test_a_selector_that_cannot_be_read_is_refused():
    for option in ("selector", "annotation_selector"):
        with pytest.raises(UsageError, match="is not a selector"):
            asked(**{option: "a in b"})


@pytest.mark.parametrize(
    ("options", "narrow", "given", "text"),
    [
        ({}, False, False, ""),
        ({"only": True}, False, False, ""),
        ({"exclude": ["secrets"]}, False, True, "not kind secrets"),
        ({"exclude_name": ["b", "a"]}, False, True, "not name a or b"),
        ({"selector": "a=b"}, True, True, "label a=b"),
        ({"annotation_selector": "!x", "only": True}, True, True, "annotation !x; only that"),
        ({"include": ["CM", "Pods"]}, True, True, "kind cm or pods"),
        ({"include_name": ["CM/Xy"], "exclude": ["z"]}, True, True, "name cm/Xy; not kind z"),
    ],
)
def test_what_is_asked_is_shown_in_one_line(options, narrow, given, text):
    selector = asked(**options)
    assert (selector.narrow, selector.given, selector.text()) == (narrow, given, text)


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ({}, True),
        ({"include": ["deploy"]}, True),
        ({"include": ["pods"]}, False),
        ({"exclude": ["deploy"]}, False),
        ({"include": ["deploy"], "exclude": ["deployments"]}, False),
        ({"include_name": ["web"]}, True),
        ({"include_name": ["pods/web", "x"]}, True),
        ({"include_name": ["pods/web"]}, False),
        ({"include": ["deploy"], "include_name": ["pods/web"]}, False),
        ({"exclude_name": ["deploy/*"]}, True),
    ],
)
def test_which_kinds_may_have_objects_that_are_asked_for(options, may):
    assert asked(**options).may_select(DEPLOYMENTS) is may


def test_the_words_for_a_kind():
    assert words_of("apps", "Deployment", ("deployments", "", "deploy")) == {
        *("deployment", "deployments", "deploy"),
        *("deployment.apps", "deployments.apps", "deploy.apps"),
    }
    assert words_of("", "Secret") == {"secret"}


def test_each_word_that_was_used_for_a_kind_is_known():
    selector = asked(include=["CM"], exclude=["po"], include_name=["x", "Deploy/y"], exclude_name=["sa/z"])
    assert selector.asked_kinds == {"cm", "po", "deploy", "sa"}


@pytest.mark.parametrize("text", ["a=b", "a!=b", "a", "!a", "a in (b,c)", "a notin (b,c)"])
def test_a_requirement_is_shown_as_it_is_written(text):
    assert [text_of(each) for each in parse_selector(text)] == [text]


def test_a_name_is_shown_as_it_is_written():
    assert [str(Name.parse(text, "--x")) for text in ("web", "Deployments/web", "secrets/tmp-*")] == [
        "web",
        "deployments/web",
        "secrets/tmp-*",
    ]


def test_no_two_built_in_kinds_share_a_name():
    every = [name for each in BUILT_IN.values() for name in (each.plural, *each.short_names)]
    assert len(every) == len(set(every)) > len(BUILT_IN)
