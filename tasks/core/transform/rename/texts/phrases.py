r"""Find namespaces in a text of any format by the words around them: settings, API paths, queries, commands.

Each form is one that means a namespace of Kubernetes and nothing else; the value must be exactly a renamed namespace.
A quote may be escaped (`\"`), as in JSON inside JSON. Sources: the documentation of Kubernetes, Prometheus, Loki, CEL,
OPA, Calico, Cilium, CoreDNS, GKE and kubectl, as tests/data/rename/software.yaml names them.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING

from kubeferry.tasks.core.transform.rename.dns_names import Use
from kubeferry.tasks.core.transform.rename.host_places import HostPlaces
from kubeferry.tasks.core.transform.rename.keys import is_about_kubernetes, means_namespace, means_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubeferry.tasks.core.transform.rename.classes import Case

_NS = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_QUOTE = r"(?:\\{0,3}[\"'`])?"
_FLAGS = re.ASCII | re.MULTILINE

_SETTING = re.compile(
    rf"(?<![\w./-])(?:-{{1,2}})?(?P<key>[\w./-]*?(?:(?i:namespaces?(?:[-_]?names?)?)|(?<![A-Za-z])NS)){_QUOTE}"
    rf"(?:[ \t]*(?:=>|:=|[:=])[ \t]*(?P<list>\[)?|[ \t]+(?<=[ \t])){_QUOTE}"
    rf"(?P<value>{_NS}(?:{_QUOTE}[ \t]*,\s*{_QUOTE}{_NS})*+)(?={_QUOTE}(?:[\s,;)}}\]&#<|]|\\[nrt]|$))",
    _FLAGS,
)
"""`POD_NAMESPACE=x`, `rootNamespace: x`, `"watchNamespaces": ["x", "y"]`, `--watch-namespace x`."""

_PATH = re.compile(
    rf"(?<![\w-])(?:api(?:\\?/|%2F)v1|apis(?:\\?/|%2F)[a-z0-9.-]+(?:\\?/|%2F)v[0-9][a-z0-9]*)(?:\\?/|%2F)"
    rf"(?:watch(?:\\?/|%2F))?namespaces(?:\\?/|%2F)(?P<value>{_NS})(?![\w.-])",
    _FLAGS | re.IGNORECASE,
)
"""`/api/v1/namespaces/x`, `kubernetes://apis/apps/v1/namespaces/x/…`; paths of Docker, GitLab and Azure are others."""

_FOREIGN = re.compile(r"://[^\s/\"'\\]*\.googleapis\.com[^\s\"'\\]*$")

_LABEL = (
    r"(?:kubernetes\.io/metadata\.name|projectcalico\.org/(?:name|namespace)|io\.kubernetes\.pod\.namespace"
    r"|k8s\.namespace\.name|(?:request|metadata)\.namespace"
    r"|namespaceObject\.metadata\.name|kubernetes\.namespace(?:_name)?)"
)
_EQUAL = re.compile(
    rf"(?<![\w-])(?P<key>{_LABEL}){_QUOTE}[ \t]*(?:==|!=|=|:(?!=))[ \t]*{_QUOTE}(?P<value>{_NS})(?![\w.:/-])", _FLAGS
)
_IN = re.compile(
    rf"(?<![\w-])(?P<key>{_LABEL}){_QUOTE}[ \t]+(?:in|notin|not in)[ \t]*[\[({{](?P<value>[^\])}}\n]{{1,1024}})", _FLAGS
)
"""Selectors of labels, and expressions of CEL, Rego, Calico and OTTL."""

_MATCHER = re.compile(
    r"[{,(]\s*(?P<key>(?:\w+_)?namespace(?:_name)?)(?P<how>=~|!~|!=|=)\\{0,3}[\"'](?P<value>[^\"'\\\n]{1,1024})\\{0,3}[\"']",
    _FLAGS,
)
"""Matchers of PromQL and LogQL, which are written without blanks; an alternative of a regular expression counts."""

_CLI = re.compile(
    r"(?:^|[\s\"'`(;&|/$])(?:kubectl|oc|helm|helmfile|istioctl|linkerd|flux|argocd|argo|velero|kubens|k9s|stern|tkn|cmctl"
    r"|cilium|kustomize|kn|skaffold|kubie|kubeseal|vcluster)(?![\w-])",
    re.ASCII,
)
"""Programs with an option `-n NAMESPACE`."""

_SHORT = re.compile(rf"(?<=[\s\"'])-n(?:=|[ \t]*){_QUOTE}(?P<value>{_NS})(?![\w./-])", _FLAGS)
_NAMED = re.compile(rf"(?<=[ \t])(?:namespaces?|ns|projects?)(?:/|[ \t]+){_QUOTE}(?P<value>{_NS})(?![\w./=:-])", _FLAGS)
"""`kubectl create namespace x`, `kubectl get ns/x`, `oc project x`."""

_ACCOUNT = re.compile(rf"--serviceaccount(?:=|[ \t]+){_QUOTE}(?P<value>{_NS}):[a-z0-9]", _FLAGS)
_METADATA = re.compile(
    rf"^[ \t]*metadata:[ \t]*\n(?:[ \t]+(?!namespace:)[\w./-]+:[^\n]*\n){{0,8}}[ \t]+namespace:[ \t]*{_QUOTE}"
    rf"(?P<value>{_NS})(?={_QUOTE}[ \t]*(?:#[^\n]*)?$)",
    _FLAGS,
)
"""A manifest in a text that is no YAML as a whole: a script's here-document, a template."""

_LOGS = re.compile(
    rf"/var/log/(?:containers/[\w.*-]*?_(?P<value>{_NS})_[\w.*-]*|pods/(?P<pods>{_NS})_[\w.*-]*)", _FLAGS
)
_GOOGLE = re.compile(rf"\.svc\.id\.goog\[(?P<value>{_NS})/", _FLAGS)
_COREDNS = re.compile(rf"^[ \t]*(?P<key>namespaces)[ \t]+(?P<value>{_NS}(?:[ \t]+{_NS})*)[ \t]*$", _FLAGS)
_OBJECT = re.compile(rf"(?<![\w./@:-])(?P<value>{_NS})/(?P<name>[a-z0-9][a-z0-9.-]*)(?![\w/:@])", _FLAGS)
_NAME = re.compile(rf"(?<![\w.*+-])(?P<value>{_NS})(?![\w.*+-])", _FLAGS)
_SECTION = re.compile(r"^[ \t]*\[+([^\]\n]+)\]", re.MULTILINE)

_LOOK_BACK = 512


def phrases(text: str, case: Case, key: str = "") -> Iterator[Use]:
    """Yield the namespaces of `case` in `text`, which has the name `key`, form by form; two may overlap."""
    lower = text.lower()
    if "namespace" in lower:
        yield from _settings(text, case)
        yield from _each(text, _EQUAL, "query", case)
        yield from _lists(text, case)
        yield from _each(text, _METADATA, "reference", case)
    elif "NS" in text:
        yield from _settings(text, case)
    if "metadata.name" in text or "projectcalico.org" in text:
        yield from _each(text, _EQUAL, "query", case) if "namespace" not in lower else ()
        yield from _members(text, _IN, case) if "namespace" not in lower else ()
    if "/var/log/" in text:
        yield from _each(text, _LOGS, "path", case)
    if ".svc.id.goog[" in text:
        yield from _each(text, _GOOGLE, "account", case)
    if "--serviceaccount" in text:
        yield from _each(text, _ACCOUNT, "account", case)
    if _CLI.search(text):
        yield from _commands(text, case)
    if "/" in text:
        yield from _objects(text, case, key)


def _lists(text: str, case: Case) -> Iterator[Use]:
    yield from _paths(text, case)
    yield from _members(text, _IN, case)
    yield from _matchers(text, case)
    for match in _COREDNS.finditer(text):
        yield from _names(text, match.span("value"), match.span(), "setting", case)


def _settings(text: str, case: Case) -> Iterator[Use]:
    for match in _SETTING.finditer(text):
        if case.names.keys().isdisjoint(_NAME.findall(match["value"])) or not _means(text, match):
            continue
        yield from _names(text, match.span("value"), match.span(), "setting", case)


def _means(text: str, match: re.Match[str]) -> bool:
    """Return whether a setting is of a namespace; a bare `namespace` is where its section or prefix is Kubernetes'."""
    key = match["key"]
    flag = text[match.start() : match.start() + 1] == "-"
    blank = text[match.end("key") : match.start("value")].strip(" \t") == ""
    if blank and not flag:
        return False  # `namespace shop` in a sentence; of a flag it is the value
    if key.lower() in ("namespace", "namespaces") and not key.isupper():
        if flag:
            return text[match.start() : match.start() + 2] == "--" or key.startswith("namespace")
        begin = max(0, match.start() - 4 * _LOOK_BACK)
        sections = _SECTION.findall(text, begin, match.start())
        return bool(sections) and is_about_kubernetes(sections[-1])
    last = key.rpartition("/")[2]
    prefix, dot, name = last.rpartition(".")
    if dot and name.lower() in ("namespace", "namespaces"):
        return is_about_kubernetes(prefix) or name.lower() == "namespaces"
    return means_namespace(last)


def _paths(text: str, case: Case) -> Iterator[Use]:
    for use in _each(text, _PATH, "path", case):
        if not _FOREIGN.search(text[max(0, use.whole[0] - _LOOK_BACK) : use.whole[0]]):
            yield use


def _matchers(text: str, case: Case) -> Iterator[Use]:
    for match in _MATCHER.finditer(text):
        if match["key"] not in ("namespace", "namespace_name") and not means_namespace(match["key"]):
            continue
        if match["how"] in ("=~", "!~"):
            yield from _names(text, match.span("value"), match.span(), "query", case)
        elif match["value"] in case.names:
            yield Use(*match.span("value"), match["value"], match.span(), "query")


def _commands(text: str, case: Case) -> Iterator[Use]:
    for match in chain(_SHORT.finditer(text), _NAMED.finditer(text)):
        if match["value"] in case.names:
            before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
            command = before[max(before.rfind(each) for each in "\n;|&") + 1 :]
            if _CLI.search(command):
                yield Use(*match.span("value"), match["value"], match.span(), "setting")


def _objects(text: str, case: Case, key: str) -> Iterator[Use]:
    """Yield from `namespace/name` of an object of the backup, under a name that means such an object."""
    around: HostPlaces | None = None
    for match in _OBJECT.finditer(text):
        if match["value"] in case.names and case.known.has(match["value"], match["name"]):
            around = around or HostPlaces(text, key)
            if means_reference(around.key(match.start())):
                yield Use(*match.span("value"), match["value"], match.span(), "reference")


def _each(text: str, form: re.Pattern[str], rule: str, case: Case) -> Iterator[Use]:
    for match in form.finditer(text):
        group = "value" if match["value"] is not None else "pods"
        if match[group] in case.names:
            yield Use(*match.span(group), match[group], match.span(), rule)


def _members(text: str, form: re.Pattern[str], case: Case) -> Iterator[Use]:
    for match in form.finditer(text):
        yield from _names(text, match.span("value"), match.span(), "query", case)


def _names(text: str, within: tuple[int, int], whole: tuple[int, int], rule: str, case: Case) -> Iterator[Use]:
    """Yield each word in a part of a text that is a namespace to rename."""
    for match in _NAME.finditer(text, *within):
        if match["value"] in case.names:
            yield Use(*match.span("value"), match["value"], whole, rule)
