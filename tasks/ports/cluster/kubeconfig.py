"""Read kubeconfigs as kubectl does: files merged, paths relative to their file, each field understood or refused.

The official client is not asked: it ignores `as` and `disable-compression`, lets the last file choose the current
context (kubectl: the first), and logs the failure of an exec plugin instead of raising it (kubernetes 37.0.1,
config/kube_config.py). The fields are those of client-go, tools/clientcmd/api/v1/types.go; what excludes what is in its
validation.go. No message shows the value of a field.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kubeferry.tasks.core.errors import CredentialsError
from kubeferry.tasks.core.jsondoc.printable import one_line

DEFAULT_KUBECONFIG = "~/.kube/config"

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and the certificates of its API server."""

EXEC_EXTENSION = "client.authentication.k8s.io/exec"
"""The extension of a cluster that its exec plugins get as `spec.cluster.config`."""

EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")

INTERACTIVE = ("Never", "IfAvailable", "Always")

_CLUSTER: dict[str, type] = {
    "server": str,
    "tls-server-name": str,
    "insecure-skip-tls-verify": bool,
    "certificate-authority": str,
    "certificate-authority-data": str,
    "proxy-url": str,
    "disable-compression": bool,
    "extensions": list,
}
_USER: dict[str, type] = {
    "client-certificate": str,
    "client-certificate-data": str,
    "client-key": str,
    "client-key-data": str,
    "token": str,
    "tokenFile": str,
    "as": str,
    "as-uid": str,
    "as-groups": list,
    "as-user-extra": dict,
    "username": str,
    "password": str,
    "exec": dict,
    "extensions": list,
}
_EXEC: dict[str, type] = {
    "command": str,
    "args": list,
    "env": list,
    "apiVersion": str,
    "installHint": str,
    "provideClusterInfo": bool,
    "interactiveMode": str,
}
_YAML: dict[type, str] = {str: "a string (in quotes)", bool: "true or false", list: "a list", dict: "a mapping"}

Content = bytes | Path
"""What a kubeconfig holds itself (`…-data`), or the file that holds it and may change."""


@dataclass(frozen=True)
class Server:
    """An API server, and how it proves who it is."""

    url: str
    authority: Content = b""
    """PEM certificates that it is proved by; b"" for those of the system."""
    verify: bool = True
    name: str = ""
    """The name in its certificate, "" for that of the URL."""
    proxy: str = field(default="", repr=False)
    """A URL, which may contain a password; "" for the proxy of the environment."""
    compress: bool = True
    config: Any = None
    """The extension for exec plugins."""


@dataclass(frozen=True)
class Exec:
    """An exec plugin, a program that returns credentials."""

    command: str
    version: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    hint: str = ""
    cluster_info: bool = False
    interactive: str = "IfAvailable"


@dataclass(frozen=True)
class User:
    """Whom requests come from. Its repr shows no secret."""

    token: str = field(default="", repr=False)
    token_file: Path | None = None
    password: tuple[str, str] | None = field(default=None, repr=False)
    """User name and password."""
    certificate: Content = field(default=b"", repr=False)
    key: Content = field(default=b"", repr=False)
    impersonate: tuple[tuple[str, str], ...] = ()
    """Headers `Impersonate-…`, a name as often as it has values."""
    plugin: Exec | None = None


@dataclass(frozen=True)
class Settings:
    """A context: its name in messages, its server and its user."""

    name: str
    server: Server
    user: User = User()


def load(where: str, context: str | None) -> Settings:
    """Return a context of the kubeconfig files `where`, separated as in KUBECONFIG; None is the current one.

    Raises:
        CredentialsError: there is no such file or context, or a field of it is not understood; one line.
    """
    place = f"kubeconfig {where}, context {context or 'current'}"
    try:
        files = _files(where)
        name = context or _current(files)
        _, chosen = _entry(files, "context", name)
        server = _server(*_entry(files, "cluster", _text(chosen, "cluster")))
        named = _text(chosen, "user")
        return Settings(name, server, _user(*_entry(files, "user", named)) if named else User())
    except (_InvalidError, OSError) as error:
        raise CredentialsError(f"{place}: {one_line(str(error))}") from None


def current_context(where: str) -> str:
    """Return the name of the current context of kubeconfig files; see `load` for what it raises."""
    return load(where, None).name


def in_cluster() -> Settings:
    """Return the API server of this pod, and the account of this pod.

    Raises:
        CredentialsError: it has none.
    """
    host, port = (os.environ.get(f"KUBERNETES_SERVICE_{each}", "") for each in ("HOST", "PORT"))
    token, authority = SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt"
    for file in (token, authority):
        if not file.is_file():
            raise CredentialsError(f"the pod's own credentials: there is no {file}")
    if not (host and port):
        raise CredentialsError("the pod's own credentials: KUBERNETES_SERVICE_HOST or _PORT is not set")
    url = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Settings("in-cluster", Server(url, authority), User(token_file=token))


class _InvalidError(Exception):
    """What is wrong with a kubeconfig, in a few words and without any value of it."""


def _files(where: str) -> list[dict[str, Any]]:
    named = [Path(each).expanduser() for each in where.split(os.pathsep) if each]
    paths = [path for path in named if path.exists()]
    found = [content for content in map(_read, paths) if content]
    if not found:
        raise _InvalidError("it is empty" if paths else "there is no such file")
    return found


def _read(path: Path) -> dict[str, Any]:
    """Return a file as it is merged: each entry by its name, with the folder that its paths are relative to."""
    try:
        found = yaml.load(path.read_bytes(), yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:  # its text may quote the file, and so a token
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _InvalidError(f"{path} is not YAML{line}") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        raise _InvalidError(f"{path} is not YAML") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _InvalidError(f"{path} is not a kubeconfig")
    merged: dict[str, Any] = {"current": _text(found, "current-context")}
    for kind in ("context", "cluster", "user"):
        merged[kind] = {}
        for entry in _list(found, f"{kind}s", path):
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or not isinstance(entry.get(kind) or {}, dict):
                raise _InvalidError(f"{path}: each of its {kind}s needs a name and a {kind}")
            if name in merged[kind]:
                raise _InvalidError(f"{path} has two {kind}s of the name {name}")
            merged[kind][name] = (path.absolute().parent, entry.get(kind) or {})
    return merged


def _list(found: dict[str, Any], key: str, path: Path) -> list[Any]:
    value = found.get(key) or []
    if not isinstance(value, list):
        raise _InvalidError(f"{path}: its {key} are not a list")
    return value


def _current(files: list[dict[str, Any]]) -> str:
    for each in files:
        if each["current"]:
            return str(each["current"])
    raise _InvalidError("it has no current context; name one with --context")


def _entry(files: list[dict[str, Any]], kind: str, name: str) -> tuple[Path, dict[str, Any]]:
    """Return an entry whole from the first file that has it, as kubectl does: entries of one name are not merged."""
    for each in files:
        if name in each[kind]:
            found: tuple[Path, dict[str, Any]] = each[kind][name]
            return found
    raise _InvalidError(f"there is no {kind} {name}")


def _checked(what: str, entry: dict[str, Any], known: dict[str, type]) -> dict[str, Any]:
    """Return the fields that are set.

    Raises:
        _InvalidError: one of them is not understood: to ignore it could mean another server, or another user's rights.
    """
    given = {key: value for key, value in entry.items() if value not in (None, "", [], {})}
    if "auth-provider" in given:
        raise _InvalidError("auth-provider was removed from Kubernetes 1.26; use an exec plugin (users[].user.exec)")
    if unknown := sorted(str(key) for key in given.keys() - known.keys()):
        raise _InvalidError(f"field {unknown[0]} of the {what} is not understood; remove it")
    for key, value in given.items():
        if not isinstance(value, known[key]):
            raise _InvalidError(f"field {key} of the {what} has to be {_YAML[known[key]]}")
    return given


def _server(folder: Path, entry: dict[str, Any]) -> Server:
    given = _checked("cluster", entry, _CLUSTER)
    url, proxy = given.get("server", "").rstrip("/"), given.get("proxy-url", "")
    if not url.startswith(("https://", "http://")):
        raise _InvalidError("field server of the cluster has to be a URL, such as https://host:6443")
    if proxy and not proxy.startswith(("http://", "https://", "socks5://", "socks5h://")):
        raise _InvalidError("field proxy-url of the cluster has to be a URL with http, https or socks5")
    authority = _content(folder, given, "certificate-authority")
    verify = not given.get("insecure-skip-tls-verify", False)
    if authority and not verify:
        raise _InvalidError("certificate-authority and insecure-skip-tls-verify exclude each other; remove one")
    extensions = [each for each in given.get("extensions", []) if isinstance(each, dict)]
    config = [each.get("extension") for each in extensions if each.get("name") == EXEC_EXTENSION]
    return Server(
        url,
        authority,
        verify,
        given.get("tls-server-name", ""),
        proxy,
        not given.get("disable-compression", False),
        config[0] if config else None,
    )


def _user(folder: Path, entry: dict[str, Any]) -> User:
    given = _checked("user", entry, _USER)
    certificate, key = _content(folder, given, "client-certificate"), _content(folder, given, "client-key")
    if bool(certificate) != bool(key):
        raise _InvalidError("client-certificate and client-key of the user need each other")
    password = (
        (given.get("username", ""), given.get("password", "")) if {"username", "password"} & given.keys() else None
    )
    if password and {"token", "tokenFile"} & given.keys():
        raise _InvalidError("the user has both a token and a password; remove one")
    return User(
        given.get("token", "").strip(),
        folder / given["tokenFile"] if "tokenFile" in given else None,
        password,
        certificate,
        key,
        _impersonate(given),
        _plugin(folder, given["exec"]) if "exec" in given else None,
    )


def _content(folder: Path, given: dict[str, Any], key: str) -> Content:
    """Return the content of a field and its twin `…-data`, which wins (client-go: dataFromSliceOrFile)."""
    if f"{key}-data" in given:
        try:
            return base64.b64decode("".join(given[f"{key}-data"].split()), validate=True)
        except (binascii.Error, ValueError):
            raise _InvalidError(f"field {key}-data is not base64") from None
    return folder / given[key] if key in given else b""


def _impersonate(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the headers of `as…` (Kubernetes: user impersonation)."""
    user, groups, extra = given.get("as", ""), given.get("as-groups", []), given.get("as-user-extra", {})
    if not user and {"as-uid", "as-groups", "as-user-extra"} & given.keys():
        raise _InvalidError("as-uid, as-groups and as-user-extra of the user need `as`")
    headers = [("Impersonate-User", user), ("Impersonate-Uid", given.get("as-uid", ""))]
    headers += [("Impersonate-Group", each) for each in groups]
    for key, values in extra.items():
        if not isinstance(values, list):
            raise _InvalidError("field as-user-extra of the user has to be a mapping of lists")
        headers += [(f"Impersonate-Extra-{_escaped(str(key))}", each) for each in values]
    if not all(isinstance(value, str) and value.isprintable() for _, value in headers):
        raise _InvalidError("fields as, as-uid, as-groups and as-user-extra of the user have to be printable strings")
    # A header goes out as Latin-1; the API server reads UTF-8.
    return tuple((name, value.encode().decode("latin-1")) for name, value in headers if value)


def _escaped(key: str) -> str:
    """Return a key as part of a header's name (RFC 9110 token, others as in a URL; client-go: headerKeyEscape)."""
    legal = "!#$&'*+-.^_`|~"
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in legal) else f"%{byte:02X}"
        for byte in key.encode()
    )


def _plugin(folder: Path, entry: dict[str, Any]) -> Exec:
    given = _checked("user's exec plugin", entry, _EXEC)
    command, version, mode = (given.get(key, "") for key in ("command", "apiVersion", "interactiveMode"))
    if not command:
        raise _InvalidError("the user's exec plugin needs a command")
    if version not in EXEC_VERSIONS:
        raise _InvalidError(
            f"apiVersion of the user's exec plugin has to be one of {', '.join(EXEC_VERSIONS)}; update the plugin"
        )
    if not mode and version == EXEC_VERSIONS[1]:
        mode = "IfAvailable"
    if mode not in INTERACTIVE:
        raise _InvalidError(f"interactiveMode of the user's exec plugin has to be one of {', '.join(INTERACTIVE)}")
    args, env = given.get("args", []), given.get("env", [])
    if not all(isinstance(each, str) for each in args):
        raise _InvalidError("args of the user's exec plugin have to be strings (in quotes)")
    return Exec(
        # Without a slash it is looked up in PATH; else it is relative to its file (client-go: resolveLocalPaths).
        str(folder / command) if "/" in command else command,
        version,
        tuple(args),
        tuple(_variable(each) for each in env),
        given.get("installHint", ""),
        given.get("provideClusterInfo", False),
        mode,
    )


def _variable(entry: Any) -> tuple[str, str]:
    name, value = (entry.get("name"), entry.get("value") or "") if isinstance(entry, dict) else (None, None)
    if not (isinstance(name, str) and name and isinstance(value, str)) or set(entry) - {"name", "value"}:
        raise _InvalidError(
            "env of the user's exec plugin has to be a list of name and value, both strings (in quotes)"
        )
    return name, value


def _text(found: dict[str, Any], key: str) -> str:
    value = found.get(key) or ""
    if not isinstance(value, str):
        raise _InvalidError(f"field {key} has to be {_YAML[str]}")
    return value
