"""What people wrote about order is read exactly, and what cannot be read is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.graph.order import Edge, Strength, Via
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.annotations import (
    CATEGORY,
    CLI_UTILS,
    DEPENDS_ON,
    HOOK_WEIGHT,
    LEVEL,
    SYNC_WAVE,
    Hints,
    depends_on_key,
    explicit_edges,
    hints_of,
    with_namespaces,
)


def made(notes, namespace="shop"):
    meta = {"name": "web", "annotations": notes} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta}


WEB = Ref("apps", "Deployment", "shop", "web")


@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("Deployment/web", WEB),
        ("Deployment.apps/web", WEB),
        ("Secret/bank/key", Ref("", "Secret", "bank", "key")),
        ("Issuer.cert-manager.io/ca", Ref("cert-manager.io", "Issuer", "shop", "ca")),
        ("Issuer.cert-manager.io/bank/ca", Ref("cert-manager.io", "Issuer", "bank", "ca")),
        ("Zone.example.com//main", Ref("example.com", "Zone", "", "main")),
        ("ClusterRole/system:node", Ref("rbac.authorization.k8s.io", "ClusterRole", "", "system:node")),
        ("StorageClass/fast", Ref("storage.k8s.io", "StorageClass", "", "fast")),
        ("Namespace/bank", Ref("", "Namespace", "", "bank")),
    ],
)
def test_our_form(part, target):
    assert hints_of(made({DEPENDS_ON: part})).depends_on == (target,)


@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("apps/namespaces/shop/Deployment/web", WEB),
        ("/namespaces/bank/Secret/key", Ref("", "Secret", "bank", "key")),
        ("/Namespace/bank", Ref("", "Namespace", "", "bank")),
        ("rbac.authorization.k8s.io/ClusterRole/a:b", Ref("rbac.authorization.k8s.io", "ClusterRole", "", "a:b")),
    ],
)
def test_the_form_of_cli_utils(part, target):
    assert hints_of(made({CLI_UTILS: part})).depends_on == (target,)


def test_several_are_read_in_order_each_once():
    found = hints_of(made({DEPENDS_ON: " Secret/a ,ConfigMap/b,Secret/a"})).depends_on
    assert [str(ref) for ref in found] == ["Secret shop/a", "ConfigMap shop/b"]


def test_of_a_cluster_scoped_object_the_own_namespace_is_none():
    assert hints_of(made({DEPENDS_ON: "Zone.example.com/main"}, "")).depends_on == (
        Ref("example.com", "Zone", "", "main"),
    )


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        (DEPENDS_ON, "web", "'web' is not Kind[.group][/namespace]/name"),
        (DEPENDS_ON, "Secret/a,", "'' is not Kind"),
        (DEPENDS_ON, "Secret/a,,Secret/b", "'' is not Kind"),
        (DEPENDS_ON, "Secret/", "'Secret/' is not Kind"),
        (DEPENDS_ON, "/a", "'/a' is not Kind"),
        (DEPENDS_ON, "Secret./a", "'Secret./a' is not Kind"),
        (DEPENDS_ON, ".apps/a", "'.apps/a' is not Kind"),
        (DEPENDS_ON, "Secret/a/b/c", "'Secret/a/b/c' is not Kind"),
        (DEPENDS_ON, "Issuer/ca", "'Issuer/ca' has no group, and Issuer is not a built-in kind"),
        (DEPENDS_ON, "deployment/web", "deployment is not a built-in kind"),
        (CLI_UTILS, "Deployment/web", "'Deployment/web' is neither"),
        (CLI_UTILS, "apps/namespaces//Deployment/web", "is neither"),
        (CLI_UTILS, "apps/namespace/shop/Deployment/web", "is neither"),
        (CLI_UTILS, "apps/Deployment/", "is neither"),
        (CLI_UTILS, "apps//web", "is neither"),
        (CLI_UTILS, "apps/namespaces/shop//web", "is neither"),
        (CLI_UTILS, "apps/namespaces/shop/Deployment/", "is neither"),
        (LEVEL, "first", "'first' is not an integer"),
        (LEVEL, "1.5", "'1.5' is not an integer"),
        (LEVEL, "", "'' is not an integer"),
        (LEVEL, "٣", "'٣' is not an integer"),
        (LEVEL, "1" * 10, "is not an integer of at most nine digits"),
        (
            CATEGORY,
            "Config",
            "'Config' is not one of policy, config, storage, identity, workload, traffic, custom, adm",
        ),
    ],
)
def test_what_cannot_be_read_is_named_and_counts_for_nothing(key, text, message):
    hints = hints_of(made({key: text}))
    (said,) = hints.invalid
    assert said.startswith(f"annotation {key} is ignored: ")
    assert message in said
    assert hints == Hints(invalid=(said,))
    assert explicit_edges(made({key: text})) == []


def test_an_invalid_annotation_takes_none_of_the_others_away():
    hints = hints_of(made({DEPENDS_ON: "web", LEVEL: "3", CATEGORY: "any" * 1000}))
    assert (hints.wave, hints.depends_on, hints.phase, len(hints.invalid)) == (3, (), None, 2)
    assert all(len(each) < 500 for each in hints.invalid)


@pytest.mark.parametrize("key", [SYNC_WAVE, HOOK_WEIGHT])
def test_a_number_that_its_own_tool_takes_as_none_is_none(key):
    assert hints_of(made({key: "soon"})) == Hints()


@pytest.mark.parametrize(
    ("notes", "wave"),
    [
        ({LEVEL: "2", SYNC_WAVE: "3", HOOK_WEIGHT: "4"}, 2),
        ({SYNC_WAVE: "-3", HOOK_WEIGHT: "4"}, -3),
        ({HOOK_WEIGHT: "+4"}, 4),
        ({LEVEL: "0", SYNC_WAVE: "3"}, 0),
        ({}, None),
    ],
)
def test_the_most_specific_wave_decides(notes, wave):
    assert hints_of(made(notes)).wave == wave


def test_the_most_specific_dependence_decides_even_when_it_is_none():
    both = {DEPENDS_ON: "Secret/a", CLI_UTILS: "apps/namespaces/shop/Deployment/web"}
    assert [ref.name for ref in hints_of(made(both)).depends_on] == ["a"]
    assert hints_of(made(both | {DEPENDS_ON: ""})).depends_on == ()
    assert depends_on_key(made(both)) == DEPENDS_ON
    assert depends_on_key(made({CLI_UTILS: "x"})) == CLI_UTILS
    assert depends_on_key(made({})) is None


def test_a_dependence_is_an_edge_that_names_its_annotation():
    target = Ref("", "Secret", "shop", "a")
    assert explicit_edges(made({DEPENDS_ON: "Secret/a"})) == [
        Edge(WEB, target, Strength.EXPLICIT, DEPENDS_ON, Via.ANNOTATION)
    ]
    assert explicit_edges(made({LEVEL: "1"})) == []


@pytest.mark.parametrize(
    ("text", "phase"),
    [
        ("policy", Priority.POLICY),
        ("config", Priority.CONFIG),
        ("storage", Priority.STORAGE),
        ("identity", Priority.IDENTITY),
        ("workload", Priority.WORKLOAD),
        ("traffic", Priority.TRAFFIC),
        ("custom", Priority.CUSTOM),
        ("admission", Priority.ADMISSION),
        (" config ", Priority.CONFIG),
    ],
)
def test_each_phase_is_a_category(text, phase):
    assert hints_of(made({CATEGORY: text})).phase is phase


def test_the_annotations_are_called_as_the_readme_and_other_tools_call_them():
    notes = {
        "kubeferry.io/depends-on": "Secret/a",
        "kubeferry.io/level": "2",
        "kubeferry.io/category": "config",
    }
    assert hints_of(made(notes)) == Hints((Ref("", "Secret", "shop", "a"),), Priority.CONFIG, 2)
    assert hints_of(made({"config.kubernetes.io/depends-on": "/namespaces/b/Secret/a"})).depends_on == (
        Ref("", "Secret", "b", "a"),
    )
    assert hints_of(made({"argocd.argoproj.io/sync-wave": "3"})).wave == 3
    assert hints_of(made({"helm.sh/hook-weight": "-5"})).wave == -5


def test_no_annotations_say_nothing():
    assert hints_of({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}) == Hints()
    assert hints_of(made({"example.com/depends-on": "web", "kubeferry.io/depends": "x"})) == Hints()


def test_a_renamed_namespace_is_renamed_in_dependences():
    notes = {
        DEPENDS_ON: "Namespace/a,Secret/a/a, Secret/a,Zone.example.com//a, ConfigMap/b/a",
        CLI_UTILS: "apps/namespaces/a/Deployment/a,/Namespace/a,/namespaces/c/Secret/b",
    }
    assert with_namespaces(made(notes), {"a": "b", "b": "a"}) == {
        DEPENDS_ON: (notes[DEPENDS_ON], "Namespace/b,Secret/b/a, Secret/a,Zone.example.com//a, ConfigMap/a/a"),
        CLI_UTILS: (notes[CLI_UTILS], "apps/namespaces/b/Deployment/a,/Namespace/b,/namespaces/c/Secret/b"),
    }
    assert with_namespaces(made(notes), {"x": "y"}) == {}


NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)
REFS = st.builds(Ref, st.sampled_from(["apps", "example.com"]), st.sampled_from(["Thing", "Deployment"]), NAMES, NAMES)


@given(st.lists(REFS, unique=True, min_size=1, max_size=5))
def test_what_is_written_is_what_is_read(refs):
    ours = ", ".join(f"{ref.type}/{ref.namespace}/{ref.name}" for ref in refs)
    theirs = ",".join(f"{ref.group}/namespaces/{ref.namespace}/{ref.kind}/{ref.name}" for ref in refs)
    assert hints_of(made({DEPENDS_ON: ours})).depends_on == tuple(refs)
    assert hints_of(made({CLI_UTILS: theirs})).depends_on == tuple(refs)
