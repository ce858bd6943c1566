"""A chain of look-ups as the script's commands, and the tokens that are in an object until they are followed."""

import base64
import shlex

import pytest

from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import Binding
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.index import Source
from kubeferry.tasks.core.lookup.steps import Named, Newest, Nodes, Pods, Read, Start
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.lookup.uses import Use
from kubeferry.tasks.core.plan.kubectl.lookups import Tokens, Values, begun, followed, jsonpath, patched, typed
from kubeferry.tasks.core.plan.parts import Part

WEB = Ref("apps", "Deployment", "shop", "web")
POD_IP = Chain((Start(WEB), Newest("apps", "ReplicaSet"), Pods(0, 2), Read("podIP", "IPv4")))
UID = Chain((Start(Ref("", "Service", "shop", "api")), Read("uid")))


def test_a_kind_is_written_so_that_no_other_is_meant():
    assert typed("apps", "Deployment") == "Deployment.apps"
    assert typed("", "Pod") == "Pod.v1."


def words(step):
    """Return the words of the command of one step."""
    line = followed(Chain((Start(WEB), step)))
    return shlex.split(line.removesuffix("; }\n").partition(" && ")[2])


@pytest.mark.parametrize(
    ("step", "command"),
    [
        (Named("db-0"), ["named", "db-0"]),
        (Newest("apps", "ReplicaSet"), ["newest", "ReplicaSet.apps"]),
        (Newest("batch", "Job"), ["newest", "Job.batch"]),
        (Pods(1, 3), ["pod", "1", "3"]),
        (Nodes("n 1", ("control-plane", "etcd"), 2), ["node", "n 1", "2", "control-plane etcd"]),
        (Nodes("n", (), 0), ["node", "n", "0", ""]),
        (Read("path", path=("status", "a.b", 0, "it's", "back\\slash")), None),
        (Read("uid"), ["value", '{.metadata.uid}{"\\n"}', "", "0"]),
        (Read("podIP", "IPv6", 1), None),
    ],
)
def test_each_step_is_one_command(step, command):
    if command is None:
        command = {
            "path": ["field", "{['status']['a.b'][0]['it\\'s']['back\\\\slash']}"],
            "podIP": ["value", jsonpath("podIP"), "IPv6", "1"],
        }[step.what]
    assert words(step) == command


def test_a_chain_is_followed_step_by_step_and_begins_with_its_object():
    assert followed(UID) == "chain() { find Service.v1. shop api && value '{.metadata.uid}{\"\\n\"}' '' 0; }\n"
    assert begun(UID, comes=False) == "begins() { find Service.v1. shop api; }\n"
    assert begun(UID, comes=True) == "begins() { :; }\n", "the script itself makes it"


@pytest.mark.parametrize(
    ("what", "template"),
    [
        ("podIP", '{range .status.podIPs[*]}{.ip}{"\\n"}{end}{.status.podIP}{"\\n"}'),
        ("hostIP", '{range .status.hostIPs[*]}{.ip}{"\\n"}{end}{.status.hostIP}{"\\n"}'),
        ("clusterIP", '{range .spec.clusterIPs[*]}{@}{"\\n"}{end}{.spec.clusterIP}{"\\n"}'),
        (
            "ingress",
            (
                '{range .status.loadBalancer.ingress[*]}{.ip}{"\\n"}{end}'
                '{range .status.loadBalancer.ingress[*]}{.hostname}{"\\n"}{end}'
            ),
        ),
        ("addresses", '{range .status.addresses[*]}{.value}{"\\n"}{end}'),
        ("nodeAddress", '{range .status.addresses[?(@.type!="Hostname")]}{.address}{"\\n"}{end}'),
        (
            "endpoint",
            (
                '{range .subsets[*]}{range .addresses[*]}{.ip}{"\\n"}{end}{end}'
                '{range .endpoints[*]}{range .addresses[*]}{@}{"\\n"}{end}{end}'
            ),
        ),
        ("uid", '{.metadata.uid}{"\\n"}'),
        ("name", '{.metadata.name}{"\\n"}'),
        ("nodeName", '{.spec.nodeName}{"\\n"}'),
    ],
)
def test_each_value_is_read_where_a_restore_reads_it_one_a_line(what, template):
    assert jsonpath(what) == template


OLD_UID = "a0000000-0000-4000-8000-00000000000b"


def use(pointer, value="10.0.0.1", form="token", layers=()):
    return Use(pointer, layers, value, Source(WEB, "/status/podIP"), form)


def bound(pointer, value="10.0.0.1", chain=POD_IP, kind="pod-ip", **how):
    return Binding(Ref("", "ConfigMap", "shop", "c"), use(pointer, value, **how), chain, kind)


def config(kind="ConfigMap", **data):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "c", "namespace": "shop"}, "data": data}


def test_each_chain_is_looked_up_once_and_reported_with_its_policy_and_its_old_value():
    values = Values({"pod-ip": Absent.DROP})
    first = values.look_up(bound("/data/a"))
    assert first.endswith(
        "look_up 0 'Deployment.apps shop/web → its newest ReplicaSet → its pods, ready, by name, #0 → status.podIP'"
        " drop 10.0.0.1\n"
    )
    assert "begins() { find Deployment.apps shop web; }" in first
    assert values.look_up(bound("/data/b", chain=UID, kind="uid", value=OLD_UID)).endswith(f" fail {OLD_UID}\n")
    assert "look_up 0 " in values.look_up(bound("/data/c"))
    assert "begins() { :; }" in Values({}, {WEB}).look_up(bound("/data/a"))


@pytest.mark.parametrize(
    ("old", "how", "written"),
    [
        ("10.0.0.1", {}, '"$REPLY"'),
        ("10-0-0-1", {}, '"${REPLY//[.:]/-}"'),
        ("fd00::7", {}, '"$REPLY"'),
        (OLD_UID, {}, '"$REPLY"'),
        (OLD_UID.upper(), {}, '"${REPLY^^}"'),
        ("any text", {"form": "text"}, '"$REPLY"'),
        ("any text", {"form": "whole"}, '"$REPLY"'),
    ],
)
def test_a_value_is_written_in_the_manner_of_the_old_one(old, how, written):
    tokens = Tokens(config(a=f"{old}"), [bound("/data/a", old, **how)], Values({}))
    assert f"v0={written} g0=$gone\n" in "".join(tokens.commands())


def test_tokens_are_in_the_object_and_every_one_is_filled_in():
    tokens = Tokens(config(a="http://10.0.0.1/", b="10.0.0.1"), [bound("/data/a"), bound("/data/b")], Values({}))
    assert tokens.obj["data"] == {"a": "http://@@KUBEFERRY-0@@/", "b": "@@KUBEFERRY-1@@"}
    text = "".join(tokens.commands())
    assert 'json "$v0"\nput @@KUBEFERRY-0@@ "$REPLY"\njson "$v1"\nput @@KUBEFERRY-1@@ "$REPLY"\n' in text
    assert "drop" not in text
    assert "tidy" not in text


def test_a_text_in_base64_is_filled_in_clear_and_encoded_by_the_script():
    secret = config("Secret", a=base64.b64encode(b"x@10.0.0.1").decode(), b="eA==")
    tokens = Tokens(secret, [bound("/data/a", layers=("base64",))], Values({}))
    assert tokens.obj["data"] == {"a": "@@KUBEFERRY-TEXT-0@@", "b": "eA=="}
    text = "".join(tokens.commands())
    assert "text <<'KUBEFERRY'\nx@@@KUBEFERRY-0@@\nKUBEFERRY\nin_text @@KUBEFERRY-0@@ \"$v0\"\n" in text
    assert "encode @@KUBEFERRY-TEXT-0@@\n" in text


def test_where_a_value_may_be_dropped_its_string_is_removed_with_its_key_and_an_item_of_a_list_alone():
    obj = config(a="10.0.0.1") | {"list": ["10.0.0.1"]}
    tokens = Tokens(obj, [bound("/data/a"), bound("/list/0")], Values({"pod-ip": Absent.DROP}))
    text = "".join(tokens.commands())
    assert 'drop "$g0" <<\'KUBEFERRY\'\n"a":"@@KUBEFERRY-0@@"\n\nKUBEFERRY\n' in text
    assert 'drop "$g1" <<\'KUBEFERRY\'\n"@@KUBEFERRY-1@@"\n\nKUBEFERRY\n' in text
    assert text.count("tidy\n") == 1
    assert text.index("drop") < text.index("tidy") < text.index("json ")


def test_a_copy_of_kubectl_with_a_value_in_base64_in_it_is_left_out():
    note = "kubectl.kubernetes.io/last-applied-configuration"
    obj = config(a="10.0.0.1")
    obj["metadata"]["annotations"] = {note: "{}", "other": "x"}
    at = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration"
    tokens = Tokens(obj, [bound(at, layers=("json", "base64")), bound("/data/a")], Values({}))
    assert tokens.obj["metadata"]["annotations"] == {"other": "x"}
    assert tokens.obj["data"] == {"a": "@@KUBEFERRY-0@@"}


CONFIG = Ref("", "ConfigMap", "shop", "c")


def late(body, whole, *bindings, absent=None):
    part = Part(CONFIG, CONFIG, "v1", "", bindings=bindings, late=bindings)
    return "".join(patched(part, body, whole, Values(absent or {})))


def test_what_comes_late_is_patched_into_the_object_that_is_there():
    text = late(config(b="x"), config(a="10.0.0.1", b="x"), bound("/data/a"))
    assert '[{"op":"add","path":"/data/a","value":"@@KUBEFERRY-0@@"}]' in text
    assert text.endswith("change ConfigMap.v1. shop c\n")
    assert "otherwise" not in text
    replaced = late(config(a=""), config(a="10.0.0.1"), bound("/data/a"))
    assert '[{"op":"replace","path":"/data/a","value":"@@KUBEFERRY-0@@"}]' in replaced


def test_a_map_that_the_server_dropped_is_made_first_where_it_is_missing():
    text = late(config(), config(a="10.0.0.1"), bound("/data/a"))
    assert '[{"op":"add","path":"/data/a","value":"@@KUBEFERRY-0@@"}]' in text
    assert 'otherwise <<\'KUBEFERRY\'\n[{"op":"add","path":"/data","value":{}},' in text


def test_a_late_value_that_may_be_dropped_is_taken_out_where_it_was_there_already():
    text = late(config(a=""), config(a="10.0.0.1"), bound("/data/a"), absent={"pod-ip": Absent.DROP})
    replaced = '{"op":"replace","path":"/data/a","value":"@@KUBEFERRY-0@@"}'
    instead = '{"op":"add","path":"/data/a","value":""},{"op":"remove","path":"/data/a"}'
    assert f"drop \"$g0\" <<'KUBEFERRY'\n{replaced}\n{instead}\nKUBEFERRY\n" in text


def test_a_list_that_may_lose_items_is_written_whole():
    body, whole = config() | {"list": ["", "b"]}, config() | {"list": ["10.0.0.1", "b"]}
    text = late(body, whole, bound("/list/0"), absent={"pod-ip": Absent.DROP})
    assert '[{"op":"replace","path":"/list","value":["@@KUBEFERRY-0@@","b"]}]' in text
    kept = late(body, whole, bound("/list/0"))
    assert '"path":"/list/0"' in kept
