"""The page of a plan asks nothing of a network, and no name in it means anything to a browser."""

import html
import json
import re
from html.parser import HTMLParser

import pytest

from kubeferry.flows.console.plan_page import page
from kubeferry.tasks.core.formats.records import LeftOut, Rewrite
from kubeferry.tasks.core.graph.order import Edge, Strength, order
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import Binding
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.steps import Read, Start
from kubeferry.tasks.core.lookup.uses import Source, Use
from kubeferry.tasks.core.plan.document import PlanDocument, document
from kubeferry.tasks.core.plan.parts import Part, Parts

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;\u2028\u2029",
    "javascript:alert(1)",
]


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def hostile_plan(texts):
    refs = [Ref("", f"Kind{n}{text}", f"space{text}", f"name{text}") for n, text in enumerate(texts)]
    edges = [Edge(refs[0], ref, Strength.REFERENCE, texts[0]) for ref in refs[1:]]
    use = Use(f"/{texts[0]}", (texts[0],), texts[0], Source(refs[0], "/x"))
    bindings = (Binding(refs[0], use, Chain((Start(refs[0]), Read("path", path=(texts[0],)))), "user"),)
    items = {
        ref: Part(ref, ref, texts[0], texts[0], bindings=bindings, not_ready=texts[0], unowned=(texts[0],))
        for ref in refs
    }
    rewrites = [
        Rewrite(object=str(ref), path=text, old=text, new=text, why=text) for ref, text in zip(refs, texts, strict=True)
    ]
    gaps = [LeftOut(type=text, namespace=text, name=text, why=text) for text in texts]
    names = {text: text for text in texts}
    return document(Parts(texts[0], texts[0], names, items, [], [], order(refs, edges), gaps, rewrites))


def tags(text):
    parser = Tags()
    parser.feed(text)
    return parser.found


def test_hostile_names_add_no_element_and_no_attribute():
    harmless = [f"{n}harmless" for n in range(len(HOSTILE))]
    shapes = [
        [(tag, sorted(attributes)) for tag, attributes in tags(page(hostile_plan(texts)))]
        for texts in (HOSTILE, harmless)
    ]
    assert shapes[0] == shapes[1]
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page(hostile_plan(HOSTILE)))[0]


def test_the_document_is_in_the_page_as_it_is():
    plan = hostile_plan(HOSTILE)
    data = re.search(r'<script type="application/json" id="plan">(.*?)</script>', page(plan), re.DOTALL).group(1)
    assert PlanDocument.model_validate(json.loads(data)) == plan
    assert not set("<>&'") & set(data)


@pytest.fixture
def text():
    return page(hostile_plan(["plain"]))


def test_no_address_is_asked(text):
    for _, attributes in tags(text):
        assert not {"src", "href", "action", "srcset", "style", "data"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    assert re.findall(r"(?:https?:)?//[\w.]+", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert (
        re.findall(r"\b(?:url\(|@import|fetch\(|XMLHttpRequest|innerHTML|outerHTML|insertAdjacentHTML|eval\()", text)
        == []
    )


def test_only_our_own_script_and_style_may_run(text):
    policy = next(attributes["content"] for tag, attributes in tags(text) if attributes.get("http-equiv"))
    assert html.unescape(policy).startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
