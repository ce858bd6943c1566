"""What users write into cli-utils' annotation becomes bindings; what cannot be done exactly is refused, and why."""

import base64

import pytest

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.links import Links
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import bind, bindings_of
from kubeferry.tasks.core.lookup.derive import SourceIndex
from kubeferry.tasks.core.lookup.follow import Live, follow_in
from kubeferry.tasks.core.lookup.mutation import ANNOTATION, mutations, parse_path
from kubeferry.tasks.core.lookup.uses import Index, Source

CLI_UTILS = """
- sourcePath: $.status.number
  sourceRef:
    group: resourcemanager.cnrm.cloud.google.com
    kind: Project
    name: example-name
    namespace: example-namespace
  targetPath: $.spec.member
  token: ${project-number}
- sourcePath: .status.field
  sourceRef:
    kind: ConfigMap
    name: example-name
  targetPath: .spec.field
"""
"""The example of cli-utils' documentation."""

PROJECT = {
    "apiVersion": "resourcemanager.cnrm.cloud.google.com/v1beta1",
    "kind": "Project",
    "metadata": {"name": "example-name", "namespace": "example-namespace"},
    "status": {"number": 123, "on": True, "list": [{"a": "x"}], "text": "t"},
}


def thing(annotation, **spec):
    meta = {"name": "it", "namespace": "shop", "annotations": {ANNOTATION: annotation}}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": meta, "spec": spec}


def item(**changes):
    ref = {"kind": "ConfigMap", "name": "c"}
    fields = {"sourceRef": ref, "sourcePath": "$.data.a", "targetPath": "$.spec.field", "token": "$X"} | changes
    return str([fields])


def test_the_example_of_its_documentation():
    obj = thing(CLI_UTILS, member="serviceAccount:${project-number}@${project-number}", field="anything")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "example-name", "namespace": "shop"}}
    live = Live([PROJECT, config | {"status": {"field": "10.0.0.1"}}])
    bindings, _ = bindings_of(obj, Index(), SourceIndex())
    there, rewrites = bind(obj, bindings, lambda each: follow_in(each.chain, live))
    assert there["spec"] == {"member": "serviceAccount:123@123", "field": "10.0.0.1"}
    assert [each.kind for each in bindings] == ["user", "user"]
    assert bindings[0].chain.text() == (
        "Project.resourcemanager.cnrm.cloud.google.com example-namespace/example-name → status.number"
    )
    assert [each.path for each in rewrites] == ["/spec/member", "/spec/field"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".status.text", "t"),
        (".status.on", "true"),
        (".status.list", '[{"a":"x"}]'),
        (".status.list[0].a", "x"),
        (".status.list[7].a", None),
        (".status.none", None),
        (".status.text.deeper", None),
    ],
)
def test_a_source_is_written_as_text(path, value):
    ref = {"group": "resourcemanager.cnrm.cloud.google.com", "kind": "Project"}
    ref |= {"name": "example-name", "namespace": "example-namespace"}
    obj = thing(item(sourceRef=ref, sourcePath=path), field="$X")
    [(_, chain)] = mutations(obj, SourceIndex())
    assert follow_in(chain, Live([PROJECT])) == value


def test_a_token_and_an_address_in_one_string_are_replaced_in_one_pass():
    index = Index()
    index.add_value("10.0.0.1", Source(Ref("", "Service", "shop", "api"), "/spec/clusterIP"))
    obj = thing(item(), field="http://10.0.0.1/$X/$X")
    values = {"user": "10.0.0.1", "service-ip": "10.0.0.2"}
    there, _ = bind(obj, bindings_of(obj, index, SourceIndex())[0], lambda each: values[each.kind])
    assert there["spec"]["field"] == "http://10.0.0.2/10.0.0.1/10.0.0.1"


def test_a_whole_string_is_its_users_alone():
    index = Index()
    index.add_value("10.0.0.1", Source(Ref("", "Service", "shop", "api"), "/spec/clusterIP"))
    bindings, _ = bindings_of(thing(item(token=""), field="http://10.0.0.1/"), index, SourceIndex())
    assert [each.kind for each in bindings] == ["user"]


def test_a_token_in_a_secret_is_replaced_in_its_text():
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop", "annotations": {ANNOTATION: item(targetPath="$.data['a.b']")}},
        "data": {"a.b": base64.b64encode(b"url=$X").decode()},
    }
    there, [rewrite] = bind(secret, bindings_of(secret, Index(), SourceIndex())[0], lambda _: "new")
    assert base64.b64decode(there["data"]["a.b"]) == b"url=new"
    assert rewrite.path == "/data/a.b (base64)"


@pytest.mark.parametrize(
    ("ref", "namespace"),
    [
        ({"kind": "ConfigMap", "name": "c"}, "shop"),
        ({"kind": "ConfigMap", "name": "c", "namespace": "other"}, "other"),
        ({"kind": "Namespace", "name": "c"}, ""),
        ({"kind": "Zone", "apiVersion": "example.com/v1", "name": "c"}, ""),
    ],
)
def test_a_source_is_in_the_namespace_of_its_target_unless_it_has_none(ref, namespace):
    around = SourceIndex()
    around.add(Ref("example.com", "Zone", "", "c"), Links())
    [(_, chain)] = mutations(thing(item(sourceRef=ref), field="$X"), around)
    assert chain.start.namespace == namespace


@pytest.mark.parametrize(
    ("annotation", "why"),
    [
        ("this string is not a substitution", "must be a list"),
        ("a: [", "is not YAML"),
        ("!!python/object:os.system x", "is not YAML"),
        ("[7]", "item 0 must be a map"),
        ("[{}]", "sourceRef must name kind and name"),
        (item(sourceRef={"kind": "ConfigMap"}), "sourceRef must name kind and name"),
        (item(sourceRef={"kind": 7, "name": "c"}), "sourceRef must name kind and name"),
        (item(sourceRef={"name": "c"}), "sourceRef must name kind and name"),
        (item(sourceRef={"kind": "", "name": "c"}), "sourceRef must name kind and name"),
        (item(sourcePath=7), "sourcePath must be a path"),
        (item(sourcePath=["$.data.a"]), "sourcePath must be a path"),
        (item(targetPath=""), "targetPath must be a path"),
        (item(sourceRef={"kind": "Thing", "group": "example.com", "name": "it"}), "refers to its own object"),
        (item(sourcePath=""), "sourcePath must be a path"),
        (item(sourcePath="$.a[*]"), "sourcePath must be plain JSONPath"),
        (item(targetPath="$.."), "targetPath must be plain JSONPath"),
        (item(targetPath="$.spec.none"), "no string at targetPath"),
        (item(targetPath="$.spec.number"), "no string at targetPath"),
        (item(targetPath="$.metadata.name"), "no string at targetPath"),
        (item(targetPath="$.kind"), "no string at targetPath"),
        (item(token=7), "token must be a string"),
    ],
)
def test_what_cannot_be_done_exactly_is_refused(annotation, why):
    with pytest.raises(PermanentError, match=r"^Thing.example.com shop/it: annotation .*" + why):
        mutations(thing(annotation, field="$X", number=7), SourceIndex())


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$.a.b", ("a", "b")),
        (".a[0].b", ("a", 0, "b")),
        ("$['a.b']['c']", ("a.b", "c")),
        ('$["a\\"b"]', ('a"b',)),
        ("$.a-b", ("a-b",)),
        # Run by spyzhov/ajson v0.9.6, the reader of cli-utils.
        ("$['app.kubernetes.io/name']", ("app.kubernetes.io/name",)),
        (r"$['b\'c']", ("b'c",)),
        (r"""$["b'c"]""", ("b'c",)),
        (r"""$['b"c']""", ('b"c',)),
        (r'$["b\"c"]', ('b"c',)),
        (r"$['b\\c']", ("b\\c",)),
        (r"$['b\\\'c']", ("b\\'c",)),
        (r"$['b\nc']", ("b\nc",)),
        (r'$["b\tc"]', ("b\tc",)),
        (r"$['b\u0041c']", ("bAc",)),
        (r'$["\u00e9"]', ("é",)),
        ("$.é", ("é",)),
        (r"$['\ud83d\ude00']", ("\U0001f600",)),
        (r"$['b\/c']", ("b/c",)),
        ("$['b]c']['d[e']", ("b]c", "d[e")),
        ("$['']", ("",)),
        (r"$['b\qc']", None),
        (r"$['b\x41c']", None),
        (r"""$['b\"c']""", None),
        (r"""$["b\'c"]""", None),
        ("$['b\nc']", None),
        (r"$['\u12']", None),
        (r"$['a\']", None),
        ("$['a'", None),
        (r"$.app\.io", None),
        ("$", None),
        ("", None),
        ("a", None),
        ("$.a[*]", None),
        ("$.a[0:2]", None),
        ("$..a", None),
        ("$.a[?(@.b)]", None),
        ("$.a[-1]", None),
    ],
)
def test_a_path_names_one_field(text, steps):
    assert parse_path(text) == steps
