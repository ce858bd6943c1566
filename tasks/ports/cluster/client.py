"""One API server: the only way in which Kubeferry talks to Kubernetes, and the only importer of `kubernetes`.

The official client does configuration, authentication and TLS; requests go through its connection pool by transport.py.
"""

from __future__ import annotations

import os
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, list_kube_config_contexts, load_incluster_config, load_kube_config

from kubeferry.tasks.core.errors import CredentialsError, NotFoundError, UnavailableError
from kubeferry.tasks.core.jsondoc.encoding import encoded
from kubeferry.tasks.core.kube.resources import Discovery, ResourceType, parse_discovery
from kubeferry.tasks.ports.cluster.pages import Page, begun_again
from kubeferry.tasks.ports.cluster.transport import CONNECTIONS, Answer, Transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation

PAGE = 500
"""Objects per LIST page: what kubectl and client-go ask for."""

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
AGGREGATED = f"{_AGGREGATED.format('v2')},{_AGGREGATED.format('v2beta1')},application/json"

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = "kubeferry"

DEFAULT_KUBECONFIG = "~/.kube/config"


Objects = list[dict[str, Any]]
"""`list` is also a method below, which hides the type from the methods' annotations."""


class Cluster(Transport):
    """An API server and what can be asked of it. Safe to use from `THREADS` threads at once.

    `name` is the kubeconfig context (or `in-cluster`), `host` the server's URL.
    """

    def __init__(self, configuration: Configuration, name: str) -> None:
        configuration.connection_pool_maxsize = CONNECTIONS
        pool = ApiClient(configuration).rest_client.pool_manager
        super().__init__(name, str(configuration.host), pool, lambda: _bearer(configuration))
        self._newest: dict[str, int] = {}
        """Type → the newest revision of what was written of it from here."""
        self._turn = Lock()

    # --- reading

    def discover(self) -> Discovery:
        """Return what the server serves, by two requests (KEP-3352)."""
        return parse_discovery(self.request("GET", path, accept=AGGREGATED).json() for path in ("/api", "/apis"))

    def version(self) -> str:
        """Return the server's version, as `v1.36.1`."""
        return str(self.request("GET", "/version").json()["gitVersion"])

    def schemas(self, api_version: str) -> Any:
        """Return the OpenAPI v3 document of a group and version, as `apps/v1` (KEP-2896).

        Raises:
            NotFoundError: the server does not serve it, or does not describe it. It says so by an empty answer while
                a group comes or goes (kube-openapi, `HandleGroupVersion`).
        """
        path = f"/openapi/v3/{'apis' if '/' in api_version else 'api'}/{api_version}"
        answer = self.request("GET", path, subject=f"schemas of {api_version}")
        if not answer.body:
            raise NotFoundError(f"schemas of {api_version}: the API server describes no such version")
        return answer.json()

    def revision(self, path: str = "/api/v1/namespaces") -> str:
        """Return the store's current revision, which any LIST tells: all lists of one backup are read at it."""
        found = self.request("GET", path, query={"limit": "1"}, subject=f"list {path.rpartition('/')[2]}").json()
        return str(found["metadata"]["resourceVersion"])

    def pages(
        self,
        kind: ResourceType,
        namespace: str = "",
        *,
        revision: str = "",
        at_least: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Iterator[Page]:
        """Yield a LIST page by page; with `revision`, exactly as things were at that revision.

        With `at_least` (see `written`), the server answers from its cache as soon as that has the revision, which is at
        half of the price: any other list makes it ask its store for the newest one.

        Raises:
            ExpiredError: the revision or the continue token was compacted away; the pages so far are void.
        """
        subject = f"list {kind.group_resource}" + (f" in {namespace}" if namespace else "")
        asked = {"limit": str(PAGE), **(query or {})}
        if revision:
            asked |= {"resourceVersion": revision, "resourceVersionMatch": "Exact"}
        elif at_least:
            asked |= {"resourceVersion": at_least, "resourceVersionMatch": "NotOlderThan"}
        while True:
            try:
                page = Page(self.request("GET", kind.path(namespace), query=asked, subject=subject).body, kind)
            except UnavailableError:
                if asked.get("resourceVersionMatch") != "NotOlderThan":
                    raise
                # It never comes where a cluster was put back to an older state since: what was written is gone, too.
                self._newest.pop(kind.group_resource, None)
                asked = {"limit": str(PAGE), **(query or {})}
                continue
            yield page
            if not page.next:
                return
            # A continue token carries its own revision: sending one beside it is an error.
            asked = {"limit": str(PAGE), **(query or {}), "continue": page.next}

    def list(self, kind: ResourceType, namespace: str = "", *, query: Mapping[str, str] | None = None) -> list[Object]:
        """Return all objects of a type (in a namespace) as they are now; a list that expires midway starts again."""
        return begun_again(lambda: [item for page in self.pages(kind, namespace, query=query) for item in page.items])

    def get(self, kind: ResourceType, namespace: str, name: str) -> Object:
        """Return one object.

        Raises:
            NotFoundError: it is not there.
        """
        found: Object = self.request(
            "GET", kind.path(namespace, name), subject=_subject("get", kind, namespace, name)
        ).json()
        return found

    def find(self, kind: ResourceType, namespace: str, name: str) -> Object | None:
        """Return one object, or None where it is not there."""
        try:
            return self.get(kind, namespace, name)
        except NotFoundError:
            return None

    def watch(
        self,
        kind: ResourceType,
        namespace: str = "",
        *,
        revision: str,
        seconds: int,
        query: Mapping[str, str] | None = None,
        stop: Cancellation | None = None,
    ) -> Iterator[tuple[str, Object]]:
        """Return an iterator of (event type, object) from `revision` on, for at most `seconds`; BOOKMARKs too.

        Another thread ends it at once by setting `stop`.

        Raises:
            ExpiredError: the revision is too old: list again and watch from there.
            UnreachableError: the connection broke; watch again from the last revision seen.
        """
        asked = {
            "watch": "1",
            "resourceVersion": revision,
            "timeoutSeconds": str(seconds),
            "allowWatchBookmarks": "true",
        }
        subject = f"watch {kind.group_resource}" + (f" in {namespace}" if namespace else "")
        asked |= query or {}
        return self.stream(kind.path(namespace), asked, seconds=seconds, subject=subject, stop=stop)

    # --- writing

    def written(self, kind: ResourceType) -> str:
        """Return the newest revision of what this process wrote of a type, "" where it wrote nothing of it."""
        return str(self._newest.get(kind.group_resource, ""))

    def _noted(self, kind: ResourceType, answer: Answer) -> Object:
        """Return the object as the server stored it; its revision is a number that grows (KEP-5504)."""
        stored: Object = answer.json()
        revision = str((stored.get("metadata") or {}).get("resourceVersion", ""))
        if revision.isdecimal():
            with self._turn:
                newest = self._newest.get(kind.group_resource, 0)
                self._newest[kind.group_resource] = max(newest, int(revision))
        return stored

    def create(
        self,
        kind: ResourceType,
        namespace: str,
        obj: Object,
        *,
        manager: str = FIELD_MANAGER,
        dry_run: bool = False,
    ) -> tuple[Object, bool]:
        """Create an object; return it as the server stored it, and whether the request was retried.

        `manager` is told as the object's first field manager.

        Raises:
            AlreadyExistsError: the name is taken, perhaps by our own first attempt whose answer was lost.
        """
        answer = self.request(
            "POST",
            kind.path(namespace),
            query={"fieldManager": manager} | ({"dryRun": "All"} if dry_run else {}),
            body=encoded(obj),
            subject=_subject("create", kind, namespace, obj["metadata"].get("name", "")),
        )
        return self._noted(kind, answer), answer.retried

    def apply(self, kind: ResourceType, namespace: str, obj: Object, *, force: bool = True) -> Object:
        """Server-side apply an object under the field manager `kubeferry`; return it as stored (KEP-555)."""
        name = obj["metadata"]["name"]
        answer = self.request(
            "PATCH",
            kind.path(namespace, name),
            query={"fieldManager": FIELD_MANAGER, "force": str(force).lower()},
            body=orjson.dumps(obj),
            content_type=APPLY_PATCH,
            subject=_subject("apply", kind, namespace, name),
        )
        return self._noted(kind, answer)

    def replace(self, kind: ResourceType, namespace: str, obj: Object) -> Object:
        """Put an object in the place of the one of its name (and resourceVersion, if it has one); return it as stored.

        Raises:
            ConflictError: somebody changed it since.
        """
        name = obj["metadata"]["name"]
        answer = self.request(
            "PUT",
            kind.path(namespace, name),
            query={"fieldManager": FIELD_MANAGER},
            body=orjson.dumps(obj),
            subject=_subject("replace", kind, namespace, name),
        )
        return self._noted(kind, answer)

    def patch(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        patch: Any,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> Object:
        """Patch an object (a merge patch, unless `content_type` says otherwise); return it as stored."""
        answer = self.request(
            "PATCH",
            kind.path(namespace, name, subresource),
            query={"fieldManager": FIELD_MANAGER},
            body=orjson.dumps(patch),
            content_type=content_type,
            subject=_subject("patch", kind, namespace, name),
        )
        return self._noted(kind, answer)

    def delete(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        *,
        uid: str,
        revision: str = "",
        propagation: str = "Background",
    ) -> None:
        """Delete an object, only if it still has `uid`, and is as it was at `revision` where that is given.

        Raises:
            ConflictError: another object has that name now, or it has changed since.
            NotFoundError: it is gone already.
        """
        same = {"uid": uid} | ({"resourceVersion": revision} if revision else {})
        options = {"preconditions": same, "propagationPolicy": propagation}
        self.request(
            "DELETE",
            kind.path(namespace, name),
            body=orjson.dumps(options),
            subject=_subject("delete", kind, namespace, name),
        )

    def allowed(self, verb: str, kind: ResourceType, namespace: str) -> bool:
        """Return whether these credentials may `verb` objects of a type (SelfSubjectAccessReview).

        A type whose resource is `bundles/status` stands for that subresource.
        """
        resource, _, subresource = kind.resource.partition("/")
        asked = {"verb": verb, "group": kind.group, "resource": resource, "namespace": namespace}
        asked |= {"subresource": subresource} if subresource else {}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        answer = self.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
            body=orjson.dumps(review | {"spec": {"resourceAttributes": asked}}),
            subject="ask what these credentials may do",
        )
        return bool(answer.json()["status"]["allowed"])

    def rules(self, namespace: str) -> tuple[Objects, bool]:
        """Return what these credentials may do in a namespace, and whether that is all (SelfSubjectRulesReview).

        It is not where one of the server's authorizers cannot tell, as a webhook: then ask `allowed`.
        """
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview"}
        status = self.request(
            "POST",
            "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
            body=orjson.dumps(review | {"spec": {"namespace": namespace}}),
            subject="ask what these credentials may do",
        ).json()["status"]
        return status.get("resourceRules") or [], not status.get("incomplete")


def connect(context: str | None = None, kubeconfig: str | None = None) -> Cluster:
    """Return the cluster of a kubeconfig context: the current one without a name, or the pod's own inside a cluster.

    The same configuration gives the same `Cluster`, so that all steps of a process share its connections.

    Raises:
        CredentialsError: no such context or file, or it cannot be used.
    """
    if not (context or kubeconfig) and "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ:
        return _connect(None, "")
    return _connect(context or None, _location(kubeconfig))


@lru_cache(maxsize=64)
def _connect(context: str | None, where: str) -> Cluster:
    """Return the cluster of a context of the kubeconfig at `where`; the pod's own when that is ""."""
    configuration = Configuration()
    try:
        if not where:
            load_incluster_config(configuration)  # type: ignore[no-untyped-call] # the client ships no types
            return Cluster(configuration, "in-cluster")
        load_kube_config(where, context, configuration, persist_config=False)  # type: ignore[no-untyped-call] # as above
        return Cluster(configuration, context or current_context(where))
    except (ConfigException, yaml.YAMLError, OSError, ValueError, TypeError) as error:  # the client checks no shapes
        cause = " ".join(str(error).split()) or type(error).__name__
        place = f"kubeconfig {where}, context {context or 'current'}" if where else "the pod's own credentials"
        raise CredentialsError(f"{place}: {cause}") from error


def current_context(kubeconfig: str | None = None) -> str:
    """Return the name of the kubeconfig's current context."""
    _, active = list_kube_config_contexts(_location(kubeconfig))  # type: ignore[no-untyped-call] # the client ships no types
    return str(active["name"])


def _location(kubeconfig: str | None) -> str:
    """Return where the kubeconfig is; the client itself looks at KUBECONFIG only once, when it is imported."""
    return kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG


def _bearer(configuration: Configuration) -> str | None:
    value = configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    return str(value) if value else None


def _subject(verb: str, kind: ResourceType, namespace: str, name: str) -> str:
    return f"{verb} {kind.kind} {namespace}/{name}" if namespace else f"{verb} {kind.kind} {name}"
