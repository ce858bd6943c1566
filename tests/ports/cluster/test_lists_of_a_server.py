"""A list of many pages is whole, whatever an API server may answer in the middle of it: on a server of our own."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from tests.support.http_server import running

from kubeferry.tasks.core.errors import ExpiredError
from kubeferry.tasks.core.kube.resources import ResourceType
from kubeferry.tasks.ports.cluster.client import Cluster
from kubeferry.tasks.ports.cluster.kubeconfig import Server, Settings
from kubeferry.tasks.ports.cluster.pages import LISTS

SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)
EXPIRED = {"kind": "Status", "code": 410, "reason": "Expired", "message": "the token is too old"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.server.asked.append(query)
        status, body = self.server.answer(query)
        data = orjson.dumps(body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Keep the tests' output clean."""


@pytest.fixture
def server():
    """A server whose list is `pages`, of names each; the token of a page is its number."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.pages, made.expire, made.sorted = [], [], 0, False

    def answer(query):
        number = int(query.get("continue", 0))
        if number and made.expire:
            made.expire -= 1
            return 410, EXPIRED
        meta = {"resourceVersion": "7"} | ({"continue": str(number + 1)} if number + 1 < len(made.pages) else {})
        items = [{"metadata": {"name": name}} for name in made.pages[number]]
        head = {"kind": "SecretList", "apiVersion": "v1"}
        return 200, ({"items": items, "metadata": meta} if made.sorted else head | {"metadata": meta, "items": items})

    made.answer = answer
    with running(made):
        made.cluster = Cluster(Settings("own", Server(f"http://127.0.0.1:{made.server_address[1]}")))
        yield made
        made.cluster.close()


def names(objects):
    return [each["metadata"]["name"] for each in objects]


@pytest.mark.parametrize("as_sorted", [False, True], ids=["metadata first", "keys sorted"])
def test_an_empty_page_with_a_token_is_not_the_end(server, as_sorted):
    """With a selector a server may answer with fewer than the limit, and with none."""
    server.pages, server.sorted = [[], ["a", "b"], [], ["c"], []], as_sorted
    assert names(server.cluster.list(SECRETS, "shop")) == ["a", "b", "c"]
    assert [each.get("continue") for each in server.asked] == [None, "1", "2", "3", "4"]


def test_every_page_is_asked_for_with_the_selector_and_only_the_first_with_the_revision(server):
    server.pages = [["a"], ["b"], ["c"]]
    query = {"labelSelector": "app=web", "fieldSelector": "metadata.name=x"}
    found = [*server.cluster.pages(SECRETS, "shop", revision="5", query=query)]
    assert names(item for page in found for item in page.items) == ["a", "b", "c"]
    assert [{name: each[name] for name in query} for each in server.asked] == [query] * 3
    assert [each.get("resourceVersion") for each in server.asked] == ["5", None, None]
    assert [each.get("resourceVersionMatch") for each in server.asked] == ["Exact", None, None]
    assert {each["limit"] for each in server.asked} == {"500"}


def test_a_list_that_expires_in_the_middle_begins_again_and_holds_nothing_twice(server):
    server.pages, server.expire = [["a"], ["b"]], LISTS - 1
    assert names(server.cluster.list(SECRETS)) == ["a", "b"]
    server.expire = LISTS
    with pytest.raises(ExpiredError, match="Expired"):
        server.cluster.list(SECRETS)


def test_pages_of_a_list_that_expired_are_void_for_who_reads_them_one_by_one(server):
    server.pages, server.expire = [["a"], ["b"]], 1
    pages = server.cluster.pages(SECRETS)
    assert names(next(pages).items) == ["a"]
    with pytest.raises(ExpiredError):
        next(pages)
