"""One API server and its operations: the only way in which Kubeferry talks to Kubernetes.

kubeconfig.py says where it is, credentials.py who asks, and transport.py sends the requests.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import orjson

from kubeferry.tasks.core.errors import ConflictError, NotFoundError, UnavailableError
from kubeferry.tasks.core.jsondoc.encoding import encoded, encoded_for_yaml
from kubeferry.tasks.core.kube.resources import Discovery, ResourceType, parse_discovery
from kubeferry.tasks.ports.cluster import kubeconfig as kubeconfigs
from kubeferry.tasks.ports.cluster.allowed import check_cluster
from kubeferry.tasks.ports.cluster.credentials import Credentials, authority
from kubeferry.tasks.ports.cluster.pages import Page, begun_again
from kubeferry.tasks.ports.cluster.transport import Answer, Transport, retry_on_conflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.ports.cluster.cancellation import Cancellation
    from kubeferry.tasks.ports.cluster.kubeconfig import Settings

PAGE = 500
"""Objects per LIST page, as in kubectl and client-go."""

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
AGGREGATED = f"{_AGGREGATED.format('v2')},{_AGGREGATED.format('v2beta1')},application/json"

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
FIELD_MANAGER = "kubeferry"


Objects = list[dict[str, Any]]
"""An alias, because the method `list` below hides the type in annotations."""


class Cluster(Transport):
    """An API server and its operations. Safe for use by `THREADS` threads at once.

    `name` is the kubeconfig context (or `in-cluster`), `host` the server's URL.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.name, settings.server.url, Credentials(settings))
        proof = authority(settings.server).strip()
        self.authority = hashlib.sha256(proof).hexdigest() if proof else ""
        """SHA-256 of the certificates that prove the server, "" where the system's do."""
        self._newest: dict[str, int] = {}
        """Type → the newest resourceVersion that this process has written of it."""
        self._newest_lock = Lock()

    # --- reading

    def discover(self) -> Discovery:
        """Return the types that the server serves, with two requests (aggregated discovery, KEP-3352)."""
        return parse_discovery(self.request("GET", path, accept=AGGREGATED).json() for path in ("/api", "/apis"))

    def version(self) -> str:
        """Return the server's version, such as `v1.36.1`."""
        return str(self.request("GET", "/version").json()["gitVersion"])

    def schemas(self, api_version: str) -> Any:
        """Return the OpenAPI v3 document of a group and version, such as `apps/v1` (KEP-2896).

        Raises:
            NotFoundError: the server does not serve it, or does not describe it. Its answer is empty while a group is
                being added or removed (kube-openapi, `HandleGroupVersion`).
        """
        path = f"/openapi/v3/{'apis' if '/' in api_version else 'api'}/{api_version}"
        answer = self.request("GET", path, subject=f"schemas of {api_version}")
        if not answer.body:
            raise NotFoundError(f"schemas of {api_version}: the API server describes no such version")
        return answer.json()

    def revision(self, path: str = "/api/v1/namespaces") -> str:
        """Return etcd's current revision, from a LIST of one item: all lists of a backup are read at this revision."""
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
        """Yield a LIST page by page; with `revision`, the state at exactly that revision.

        With `at_least` (see `written`), the server answers from its watch cache as soon as that has the revision, at
        half of the cost: any other list makes it read the newest revision from etcd.

        Raises:
            ExpiredError: the revision or the continue token was compacted; the pages so far are invalid.
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
                # The cache never reaches it if etcd was restored from a snapshot: the writes are gone, too.
                self._newest.pop(kind.group_resource, None)
                asked = {"limit": str(PAGE), **(query or {})}
                continue
            yield page
            if not page.next:
                return
            # A continue token contains its own revision: sending another one with it is an error.
            asked = {"limit": str(PAGE), **(query or {}), "continue": page.next}

    def list(self, kind: ResourceType, namespace: str = "", *, query: Mapping[str, str] | None = None) -> list[Object]:
        """Return all current objects of a type (in a namespace); a list that expires midway starts again."""
        return begun_again(lambda: [item for page in self.pages(kind, namespace, query=query) for item in page.items])

    def get(self, kind: ResourceType, namespace: str, name: str) -> Object:
        """Return one object.

        Raises:
            NotFoundError: it does not exist.
        """
        found: Object = self.request(
            "GET", kind.path(namespace, name), subject=_subject("get", kind, namespace, name)
        ).json()
        return found

    def find(self, kind: ResourceType, namespace: str, name: str) -> Object | None:
        """Return one object, or None if it does not exist."""
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
        """Return an iterator of (event type, object) from `revision` on, for at most `seconds`, BOOKMARKs included.

        Another thread ends it by setting `stop`.

        Raises:
            ExpiredError: the revision is too old: list again and watch from the new one.
            UnreachableError: the connection broke: watch again from the last revision seen.
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
        """Return the newest resourceVersion that this process has written of a type, "" if it has written none."""
        return str(self._newest.get(kind.group_resource, ""))

    def _noted(self, kind: ResourceType, answer: Answer) -> Object:
        """Return the stored object and note its resourceVersion, an increasing number (KEP-5504)."""
        stored: Object = answer.json()
        revision = str((stored.get("metadata") or {}).get("resourceVersion", ""))
        if revision.isdecimal():
            with self._newest_lock:
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

        `manager` becomes the object's first field manager.

        Raises:
            AlreadyExistsError: the object exists, perhaps from our own first attempt whose answer was lost.
            UnavailableError: also for a 409 Conflict that does not pass. A new object cannot have changed: what did is
                the ResourceQuota that admission counts it in (plugin/pkg/admission/resourcequota).
        """

        def post() -> Answer:
            return self.request(
                "POST",
                kind.path(namespace),
                query={"fieldManager": manager} | _asked(dry_run=dry_run),
                body=encoded(obj),
                subject=_subject("create", kind, namespace, obj["metadata"].get("name", "")),
            )

        try:
            answer = retry_on_conflict(post)
        except ConflictError as error:
            raise UnavailableError(str(error)) from error
        return self._noted(kind, answer), answer.retried

    def apply(
        self,
        kind: ResourceType,
        namespace: str,
        obj: Object,
        *,
        force: bool = True,
        manager: str = FIELD_MANAGER,
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply an object; return it as stored (KEP-555).

        Raises:
            DuplicateKeysError: it has a list with a key twice, which cannot be merged.
        """
        name = obj["metadata"]["name"]
        answer = self.request(
            "PATCH",
            kind.path(namespace, name),
            query={"fieldManager": manager, "force": str(force).lower()} | _asked(dry_run=dry_run),
            body=encoded_for_yaml(obj),
            content_type=APPLY_PATCH,
            subject=_subject("apply", kind, namespace, name),
        )
        return self._noted(kind, answer)

    def replace(self, kind: ResourceType, namespace: str, obj: Object) -> Object:
        """Replace the object of the same name (and resourceVersion, if given); return it as stored.

        Raises:
            ConflictError: it has changed since it was read.
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
        manager: str = FIELD_MANAGER,
    ) -> Object:
        """Patch an object (a JSON merge patch, unless `content_type` says otherwise); return it as stored."""
        answer = self.request(
            "PATCH",
            kind.path(namespace, name, subresource),
            query={"fieldManager": manager},
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
        """Delete an object, on the preconditions that it has this `uid` and, if given, resourceVersion `revision`.

        Raises:
            ConflictError: another object has this name now, or the object has changed since.
            NotFoundError: it does not exist any more.
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

        A resource such as `bundles/status` names the subresource.
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
        """Return the rules of these credentials in a namespace, and whether they are complete (SelfSubjectRulesReview).

        They are incomplete if an authorizer, such as a webhook, cannot list rules: then use `allowed`.
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
    """Return the cluster of a kubeconfig context: by default the current context, or in a pod the in-cluster config.

    The same configuration returns the same `Cluster`, so that all steps of a process share its connections.

    Raises:
        CredentialsError: there is no such context or file, or it cannot be used.
    """
    check_cluster(context, kubeconfig)
    pod = not (context or kubeconfig) and "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
    found = _connect(None, "") if pod else _connect(context or None, _location(kubeconfig))
    check_cluster(found.name)
    return found


@lru_cache(maxsize=64)
def _connect(context: str | None, where: str) -> Cluster:
    """Return the cluster of a context of the kubeconfig at `where`; "" is the in-cluster config."""
    return Cluster(kubeconfigs.load(where, context) if where else kubeconfigs.in_cluster())


def current_context(kubeconfig: str | None = None) -> str:
    """Return the name of the kubeconfig's current context."""
    return kubeconfigs.current_context(_location(kubeconfig))


def _location(kubeconfig: str | None) -> str:
    return kubeconfig or os.environ.get("KUBECONFIG") or kubeconfigs.DEFAULT_KUBECONFIG


def _asked(*, dry_run: bool) -> dict[str, str]:
    """Return the query of a write of which nothing is to be stored (kubernetes.io: API concepts, dry-run)."""
    return {"dryRun": "All"} if dry_run else {}


def _subject(verb: str, kind: ResourceType, namespace: str, name: str) -> str:
    return f"{verb} {kind.kind} {namespace}/{name}" if namespace else f"{verb} {kind.kind} {name}"
