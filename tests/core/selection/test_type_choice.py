"""Which types a backup reads, and kinds by each name that users give them."""

import pytest

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.core.models.options import BackupOptions
from kubeferry.tasks.core.selection.resource_types import asks_by_kind, choose_types, read_by_name, words_for
from kubeferry.tasks.core.selection.selector import Selector


def kind(group, name, plural, *short, namespaced=True):
    return ResourceType(group, "v1", name, plural, namespaced, names=frozenset({name.lower(), *short}))


DEPLOYMENTS = kind("apps", "Deployment", "deployments", "deploy")
EVENTS = kind("", "Event", "events", "ev")
NEW_EVENTS = kind("events.k8s.io", "Event", "events", "ev")
ROLES = kind("rbac.authorization.k8s.io", "ClusterRole", "clusterroles", namespaced=False)
TYPES = [DEPLOYMENTS, EVENTS, NEW_EVENTS, ROLES]


def chosen(**options):
    return choose_types(TYPES, Selector.of(BackupOptions(**options)))


def asked(**options):
    """Return the types that are read because they are asked for."""
    choice = chosen(**options)
    return [each for each in choice.read if each not in choice.followed]


@pytest.mark.parametrize(
    "word", ["deployments", "deployment", "deploy", "Deployment", "DEPLOY", "deployments.apps", "Deployment.apps"]
)
def test_a_kind_has_many_names(word):
    assert asked(include=[word]) == [DEPLOYMENTS]
    assert asked(include_name=[f"{word}/web"]) == [DEPLOYMENTS]
    assert DEPLOYMENTS not in asked(exclude=[word])


@pytest.mark.parametrize("word", ["deployments.extensions", "deploymen", "", ".apps", "apps", "deployments.apps.x"])
def test_a_name_that_no_type_has_is_refused(word):
    for option in ({"include": [word]}, {"exclude": [word]}):
        with pytest.raises(UsageError, match="serves no kind"):
            chosen(**option)


@pytest.mark.parametrize("option", ["include_name", "exclude_name"])
def test_as_is_one_before_a_name(option):
    with pytest.raises(UsageError, match=r"serves no kind 'deploymen' that a backup can hold: is it deployment\?$"):
        chosen(**{option: ["deploymen/web"]})


def test_a_bare_name_means_each_group_that_has_it():
    assert asked(include=["ev"]) == [EVENTS, NEW_EVENTS]
    assert asked(include=["events.events.k8s.io"]) == [NEW_EVENTS]
    assert "events.events.k8s.io" not in words_for(EVENTS)


def test_without_a_word_all_are_asked_for_and_none_is_only_followed():
    assert asked() == TYPES
    assert asked(selector="app=web") == TYPES
    assert (chosen().followed, chosen().excluded) == (frozenset(), frozenset())


def test_what_is_not_asked_for_is_read_for_the_needs_of_what_is():
    choice = chosen(include=["deploy"])
    assert list(choice.read) == TYPES
    assert choice.followed == {EVENTS, NEW_EVENTS, ROLES}


def test_only_what_is_asked_for_is_read_where_needs_do_not_count_but_for_the_cluster_wide_ones():
    choice = chosen(include=["deploy"], only=True)
    assert list(choice.read) == [DEPLOYMENTS, ROLES]
    assert choice.followed >= {ROLES}
    assert list(chosen(selector="app=web", only=True).read) == TYPES


def test_what_is_excluded_is_never_read():
    choice = chosen(exclude=["events"])
    assert list(choice.read) == [DEPLOYMENTS, ROLES]
    assert choice.excluded == {("", "Event"), ("events.k8s.io", "Event")}
    assert asked(include=["deploy", "ev"], exclude=["events.events.k8s.io"]) == [DEPLOYMENTS, EVENTS]
    assert list(chosen(exclude_name=["ev/x"]).read) == TYPES, "others of that kind are wanted"


@pytest.mark.parametrize(
    ("options", "by_kind"),
    [
        ({}, False),
        ({"include": ["ev"]}, True),
        ({"exclude": ["ev"]}, False),
        ({"include_name": ["ev/a", "deploy/b"]}, True),
        ({"include_name": ["ev/a", "b"]}, False),
        ({"include_name": ["b"], "include": ["ev"]}, True),
        ({"selector": "a"}, False),
    ],
)
def test_whether_unknown_kinds_may_be_meant(options, by_kind):
    assert asks_by_kind(Selector.of(BackupOptions(**options))) is by_kind


@pytest.mark.parametrize("word", ["namespaces", "Namespace", "ns"])
@pytest.mark.parametrize("options", [{"exclude": ["{}"]}, {"exclude_name": ["{}/shop"]}])
def test_namespaces_are_not_excluded_as_objects(word, options):
    namespaces = kind("", "Namespace", "namespaces", "ns", namespaced=False)
    asked = {option: [text.format(word) for text in texts] for option, texts in options.items()}
    with pytest.raises(UsageError, match="use --exclude-namespace"):
        choose_types([*TYPES, namespaces], Selector.of(BackupOptions(**asked)))


@pytest.mark.parametrize(
    ("group", "name", "plural", "namespaced", "expected"),
    [
        ("cert-manager.io", "ClusterIssuer", "clusterissuers", False, True),
        ("snapshot.storage.k8s.io", "VolumeSnapshotClass", "volumesnapshotclasses", False, True),
        ("resource.k8s.io", "DeviceClass", "deviceclasses", False, True),
        ("storage.k8s.io", "VolumeAttributesClass", "volumeattributesclasses", False, True),
        ("cert-manager.io", "Issuer", "issuers", True, False),
        ("storage.k8s.io", "StorageClass", "storageclasses", False, False),
        ("storage.k8s.io", "CSIDriver", "csidrivers", False, False),
        ("", "Node", "nodes", False, False),
    ],
)
def test_of_which_types_only_what_is_named_is_read(group, name, plural, namespaced, expected):
    assert read_by_name(kind(group, name, plural, namespaced=namespaced)) is expected
