"""Small TLS servers that a real API server calls: admission webhooks, and an aggregated API of its own."""

import base64
import contextlib
import json
import ssl
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.http_server import running

from kubeferry.deployments.sandbox import credentials


class Handler(BaseHTTPRequestHandler):
    """Answers what `server.respond` returns: a status and a JSON value; None hangs up."""

    protocol_version = "HTTP/1.1"

    def handle(self):
        with contextlib.suppress(ConnectionError, ssl.SSLError):  # the API server did not wait for the answer
            super().handle()

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.respond(self.path, json.loads(body) if body else None)
        if answer is None:
            self.close_connection = True
            return
        status, value = answer
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = handle_any  # noqa: N815 - http.server looks for these names

    def log_message(self, *_):
        """Keep the tests' output clean."""


class Server(ThreadingHTTPServer):
    """A TLS server on loopback, called `localhost`; `ca` is its authority's certificate, base64 of PEM."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        credentials.issue(folder, "server", credentials.new_authority(folder, "ca"), ("127.0.0.1", "localhost"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.ca = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        self.respond = lambda _path, _body: (200, {})

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, *_):
        """Keep the tests' output clean: a handshake that is given up is no matter."""


@contextmanager
def serving(folder):
    """Yield a Server that runs; what it answers is its `respond`."""
    with running(Server(folder)) as server:
        yield server


# --- an admission webhook


def review(*, allowed, message=""):
    """Return what a webhook answers (admission.k8s.io/v1)."""

    def respond(_path, body):
        answer = {"uid": body["request"]["uid"], "allowed": allowed}
        answer |= {"status": {"message": message, "code": 403}} if message else {}
        return 200, {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}

    return respond


def only_writes(respond):
    """Return what a webhook answers that lets dry runs pass, and judges only what is to be stored."""
    allow = review(allowed=True)
    return lambda path, body: (allow if body["request"]["dryRun"] else respond)(path, body)


def webhook(name, server, namespace, resource, seconds=10):
    """Return a ValidatingWebhookConfiguration, as YAML, that asks `server` about objects made in one namespace.

    It has to answer in so many seconds: on a busy machine one may not do, even where it answers at once.
    """
    client = {"url": f"https://127.0.0.1:{server.port}/", "caBundle": server.ca}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}
    hook = {
        "name": f"{name}.example.com",
        "clientConfig": client,
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": seconds,
        "failurePolicy": "Fail",
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return json.dumps(kind | {"metadata": {"name": name}, "webhooks": [hook]})


# --- an aggregated API


class Extension:
    """An API of one type, Gadget, whose objects it keeps itself; `failing` are the verbs that it answers with 503."""

    def __init__(self, group):
        self.group, self.failing, self.objects, self.asked = group, set(), {}, []

    def respond(self, path, body):
        where = path.partition("?")[0]
        verb = "discover" if where == f"/apis/{self.group}/v1" else "create" if body else "read"
        if not where.startswith(f"/apis/{self.group}"):
            return 404, status(404, "NotFound", "there is only one group here")
        self.asked.append(verb)
        if verb in self.failing:
            return 503, status(503, "ServiceUnavailable", "the gadgets are being counted")
        if verb == "discover":
            return 200, self.resources()
        return self.created(where, body) if body else self.found(where)

    def resources(self):
        verbs = ["create", "delete", "get", "list", "watch"]
        gadgets = {"name": "gadgets", "singularName": "gadget", "namespaced": True, "kind": "Gadget", "verbs": verbs}
        return {"kind": "APIResourceList", "groupVersion": f"{self.group}/v1", "resources": [gadgets]}

    def created(self, where, body):
        meta = {"namespace": where.split("/")[5], "uid": f"gadget-{len(self.objects)}", "resourceVersion": "1"}
        made = body | {"metadata": body["metadata"] | meta}
        self.objects[where, body["metadata"]["name"]] = made
        return 201, made

    def found(self, where):
        one = self.objects.get(tuple(where.rsplit("/", 1)))
        if not where.endswith("/gadgets"):
            return (200, one) if one else (404, status(404, "NotFound", "there is no such gadget"))
        items = [obj for (place, _), obj in self.objects.items() if place == where]
        return 200, {
            "kind": "GadgetList",
            "apiVersion": f"{self.group}/v1",
            "metadata": {"resourceVersion": "7"},
            "items": items,
        }


def status(code, reason, message):
    """Return a Status."""
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code} | {
        "reason": reason,
        "message": message,
    }


def aggregated(extension, server, namespace):
    """Return the Service and APIService, as YAML, by which an API server sends a group's requests to `server`."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gadgets", "namespace": namespace}}
    service["spec"] = {"type": "ExternalName", "externalName": "localhost"}
    spec = {
        "group": extension.group,
        "version": "v1",
        "groupPriorityMinimum": 1,
        "versionPriority": 1,
        "insecureSkipTLSVerify": True,
        "service": {"namespace": namespace, "name": "gadgets", "port": server.port},
    }
    kind = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService"}
    return json.dumps(service), json.dumps(kind | {"metadata": {"name": f"v1.{extension.group}"}, "spec": spec})
