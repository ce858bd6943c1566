"""Kubeconfigs are read as kubectl reads them, and what is not understood is refused without showing a value."""

import base64
import os

import pytest
import yaml

from kubeferry.tasks.core.errors import CredentialsError
from kubeferry.tasks.ports.cluster.client import current_context
from kubeferry.tasks.ports.cluster.kubeconfig import load

SECRET = "marked-secret-value"
PLUGIN = {"apiVersion": "client.authentication.k8s.io/v1", "command": "login", "interactiveMode": "Never"}


def config(user=None, cluster=None, name="one", **more):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": f"c-{name}", "cluster": {"server": "https://a.example:6443"} | (cluster or {})}],
        "users": [{"name": f"u-{name}", "user": user or {}}],
        "contexts": [{"name": name, "context": {"cluster": f"c-{name}", "user": f"u-{name}", "namespace": "x"}}],
        **more,
    }


@pytest.fixture
def read(tmp_path):
    """Write kubeconfigs, each into a folder of its own, and read a context of them."""

    def to(*configs, context=None):
        paths = []
        for number, each in enumerate(configs):
            paths.append(tmp_path / str(number) / "config")
            paths[-1].parent.mkdir(exist_ok=True)
            paths[-1].write_text(each if isinstance(each, str) else yaml.safe_dump(each))
        return load(os.pathsep.join(map(str, paths)), context)

    return to


def refused(read, *configs, context=None):
    with pytest.raises(CredentialsError) as caught:
        read(*configs, context=context)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__cause__)
    return str(caught.value)


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ({"tokn": SECRET}, "field tokn of the user is not understood"),
        ({"as-group": ["a"]}, "field as-group of the user is not understood"),
        ({"auth-provider": {"name": "gcp", "config": {"access-token": SECRET}}}, "auth-provider was removed"),
        ({"token": 7}, "field token of the user has to be a string"),
        ({"as-groups": "system:masters"}, "field as-groups of the user has to be a list"),
        ({"as-groups": ["system:masters"]}, "need `as`"),
        ({"as": "jane", "as-user-extra": {"scope": "x"}}, "has to be a mapping of lists"),
        ({"as": "jane\r\nAuthorization: x"}, "have to be printable"),
        ({"as": "jane", "as-groups": [7]}, "have to be printable"),
        ({"token": SECRET, "username": "a", "password": SECRET}, "both a token and a password"),
        ({"client-certificate-data": base64.b64encode(b"x").decode()}, "need each other"),
        ({"client-key-data": f"{SECRET}!", "client-certificate": "x"}, "client-key-data is not base64"),
        ({"exec": PLUGIN | {"apiVersion": "client.authentication.k8s.io/v1alpha1"}}, "apiVersion"),
        ({"exec": PLUGIN | {"interactiveMode": ""}}, "interactiveMode"),
        ({"exec": PLUGIN | {"command": ""}}, "needs a command"),
        ({"exec": PLUGIN | {"args": [7]}}, "args"),
        ({"exec": PLUGIN | {"env": [{"name": "A", "valu": SECRET}]}}, "env"),
        ({"exec": PLUGIN | {"environ": {"A": SECRET}}}, "field environ of the user's exec plugin is not understood"),
    ],
)
def test_a_user_that_is_not_understood_is_refused(read, user, says):
    assert says in refused(read, config(user))


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        ({"insecure-skip-tls-verifi": True}, "field insecure-skip-tls-verifi of the cluster is not understood"),
        ({"insecure-skip-tls-verify": "false"}, "has to be true or false"),
        ({"insecure-skip-tls-verify": True, "certificate-authority": "ca.crt"}, "exclude each other"),
        ({"server": "a.example"}, "has to be a URL"),
        ({"proxy-url": "ftp://a"}, "proxy-url"),
        ({"certificate-authority-data": "%%"}, "certificate-authority-data is not base64"),
    ],
)
def test_a_cluster_that_is_not_understood_is_refused(read, cluster, says):
    assert says in refused(read, config(cluster=cluster))


def test_another_users_mistakes_do_no_harm_and_empty_fields_are_not_there(read):
    wrong = config({"tokn": SECRET}, {"servr": ""}, name="other")
    good = config(
        {"token": SECRET, "exec": None, "as-groups": [], "auth-provider": None, "extensions": [{"name": "x"}]}
    )
    both = {key: good[key] + wrong[key] for key in ("clusters", "users", "contexts")}
    assert read(good | both).user.token == SECRET


@pytest.mark.parametrize("text", [f"users: [\ntoken: {SECRET}", f"- {SECRET}", f"a: *{SECRET}", f"a: !!{SECRET} b"])
def test_a_file_that_is_none_does_not_show_what_is_in_it(read, text):
    refused(read, text)


def test_two_entries_of_one_name_in_a_file_are_refused(read):
    good = config()
    assert "two users of the name u-one" in refused(read, good | {"users": good["users"] * 2})


def test_paths_are_relative_to_their_file_and_data_wins(read, tmp_path):
    user = {"tokenFile": "token", "client-certificate": "a/crt", "client-key": "/abs/key"}
    cluster = {"certificate-authority": "ca", "certificate-authority-data": base64.b64encode(b"own").decode()}
    found = read({}, config(user, cluster))
    assert (found.user.token_file, found.user.certificate) == (tmp_path / "1/token", tmp_path / "1/a/crt")
    assert (str(found.user.key), found.server.authority) == ("/abs/key", b"own")
    assert read({}, config({"exec": PLUGIN})).user.plugin.command == "login"
    assert read({}, config({"exec": PLUGIN | {"command": "./login"}})).user.plugin.command == f"{tmp_path}/1/login"


def test_an_old_plugin_may_leave_out_whether_it_asks(read):
    old = {"apiVersion": "client.authentication.k8s.io/v1beta1", "command": "login"}
    assert read(config({"exec": old})).user.plugin.interactive == "IfAvailable"


def test_no_repr_shows_a_secret(read):
    env = [{"name": "PASSWORD", "value": SECRET}]
    data = base64.b64encode(SECRET.encode()).decode()
    user = {"token": SECRET, "client-certificate-data": data, "client-key-data": data}
    shown = repr(read(config(user, {"proxy-url": f"http://me:{SECRET}@a.example"})))
    shown += repr(read(config({"username": "jane", "password": SECRET})))
    shown += repr(read(config({"exec": PLUGIN | {"args": [SECRET], "env": env}})))
    assert SECRET not in shown


def test_extra_keys_are_escaped_as_the_api_server_reads_them(read):
    """Go canonicalizes names of headers, so that it unescapes and lowers the keys: client-go's headerKeyEscape."""
    found = read(config({"as": "jané", "as-user-extra": {"example.com/scope": ["a", "b"]}}))
    assert found.user.impersonate == (
        ("Impersonate-User", "janÃ©"),
        ("Impersonate-Extra-example.com%2Fscope", "a"),
        ("Impersonate-Extra-example.com%2Fscope", "b"),
    )


def test_files_are_merged_and_the_first_one_wins(read, tmp_path):
    first = config({"token": "first"}, name="one")
    second = config({"token": "second", "as": "jane"}, {"tls-server-name": "b"}, name="one")
    third = config({"token": "third"}, name="three")
    found = read("", first, second, third)
    assert (found.name, found.user.token, found.user.impersonate, found.server.name) == ("one", "first", (), "")
    assert read(third, first).name == "three"
    assert read(first, third, context="three").user.token == "third"
    assert current_context(os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "0/config")])) == "one"
