"""Objects that are not the ones of their places, or called what none is called; definitions and notes of no sense."""

import orjson
from tests.faults.hostile import config, entry
from tests.faults.hostile_tables import at, body, both, changed

NO_OBJECT = "holds no Kubernetes object"

OTHER = "holds another object than its path names"
body("another name", OTHER, changed(("metadata", "name"), "other"))
body("another namespace", OTHER, changed(("metadata", "namespace"), "kube-system"))
body("no namespace", OTHER, changed(("metadata", "namespace"), ""))
body("another kind", OTHER, changed(("kind",), "Secret"))
body("a kind in other letters", OTHER, changed(("kind",), "Configmap"))
body("another group", OTHER, changed(("apiVersion",), "apps/v1"))
body("a path in its version", NO_OBJECT, changed(("apiVersion",), "v1/namespaces/kube-system"))
body("another type's folder", OTHER, config, lambda ns: at(ns, kind="secrets"))
body("another group's folder", OTHER, config, lambda ns: at(ns, kind="configmaps.example.com"))
body(
    "a cluster-wide folder",
    OTHER,
    changed(("metadata", "namespace"), None),
    lambda _: "resources/configmaps/cluster/web.json",
)
body(
    "a cluster-wide kind in a namespace",
    OTHER,
    lambda ns: {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "web", "namespace": ns},
    },
    lambda ns: at(ns, kind="clusterrolebindings.rbac.authorization.k8s.io"),
)
NO_NAME = "has a name that is not valid for its kind"
for what, name in {
    "254 characters": "n" * 254,
    "500 characters": "n" * 500,
    "capitals": "WEB",
    "a right-to-left override": "web\u202egnp",
    "a zero-width space": "we\u200bb",
    "a letter that looks like another": "w\u0435b",
    "an emoji": "🛒",
    "a space": "a b",
    "an option": "--all",
    "a variable": "$(touch x)",
    "markup": "<b>",
    "two dots": "a..b",
}.items():
    body(f"a name of {what}", NO_NAME, changed(("metadata", "name"), name), lambda ns, name=name: at(ns, name))
both(
    "two names that differ by case only",
    NO_NAME,
    lambda ns: [entry(config(ns)), (at(ns, "Web"), orjson.dumps(config(ns, "Web")))],
)


def thing(ns):
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x", "namespace": ns}}


both(
    "one object in the folders of two types",
    "twice",
    lambda ns: [entry(thing(ns), at(ns, "x", f"{kind}.example.com")) for kind in ("things", "thingies")],
)


def definition(spec):
    meta = {"name": "things.example.com"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": meta, "spec": spec}


for what, spec in {
    "nothing": {},
    "lists": {"group": [], "names": [], "versions": [], "scope": []},
    "texts": {"group": "x", "names": "x", "versions": "x", "scope": "x"},
    "numbers": {"group": 1, "names": {"kind": 1, "plural": 2}, "versions": [{"name": 3, "served": True}], "scope": 4},
}.items():
    both(
        f"a definition of {what}",
        "CustomResourceDefinition",
        lambda ns, s=spec: [entry(definition(s)), entry(thing(ns))],
    )
