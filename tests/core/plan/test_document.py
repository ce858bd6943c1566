"""The document of a plan says all that is known of each object, and nothing that is in a Secret."""

import json
from dataclasses import asdict, replace

from kubeferry.tasks.core.formats.links import Owner
from kubeferry.tasks.core.formats.records import HIDDEN, LeftOut, Rewrite
from kubeferry.tasks.core.graph.order import Edge, Strength, Via, order
from kubeferry.tasks.core.graph.priorities import Priority
from kubeferry.tasks.core.jsondoc.printable import Lazy, json_pieces
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.readiness.evaluate import READY_WHEN, RULES, ready_when
from kubeferry.tasks.core.lookup.bindings import Binding
from kubeferry.tasks.core.lookup.chain import Chain
from kubeferry.tasks.core.lookup.steps import Read, Start
from kubeferry.tasks.core.lookup.substitute import Absent
from kubeferry.tasks.core.lookup.uses import Source, Use
from kubeferry.tasks.core.plan.document import PlanDocument, as_data, document
from kubeferry.tasks.core.plan.parts import Part, Parts, level_phases

SPACE = Ref("", "Namespace", "", "shop2")
CRD = Ref("apiextensions.k8s.io", "CustomResourceDefinition", "", "orders.example.com")
SECRET = Ref("", "Secret", "shop2", "login")
WEB = Ref("apps", "Deployment", "shop2", "web")
ORDER = Ref("example.com", "Order", "shop2", "first")
SERVICE = Ref("", "Service", "shop2", "web")
CLASS = Ref("scheduling.k8s.io", "PriorityClass", "", "high")
EDGES = [
    Edge(WEB, SECRET, Strength.REFERENCE, "spec.template.spec.volumes[].secret.secretName"),
    Edge(ORDER, WEB, Strength.OWNER, "metadata.ownerReferences", Via.OWNER),
    Edge(SECRET, ORDER, Strength.REFERENCE, "made.up"),
]


def source(ref):
    return Ref(ref.group, ref.kind, "shop", ref.name)


def parts():
    binding = Binding(
        SECRET,
        Use("/data/host", ("base64",), "10.0.0.7", Source(SERVICE, "/spec/clusterIP")),
        Chain((Start(SERVICE), Read("clusterIP", "IPv4"))),
        "service-ip",
    )
    items = {
        SPACE: Part(SPACE, Ref("", "Namespace", "", "shop"), "v1", "a namespace of the backup"),
        CRD: Part(CRD, CRD, "apiextensions.k8s.io/v1", "defines a kind"),
        SECRET: Part(SECRET, source(SECRET), "v1", "in namespace shop", bindings=(binding,)),
        WEB: Part(WEB, source(WEB), "apps/v1", "in namespace shop", not_ready="0 of 1 replicas", bindings=(binding,)),
        ORDER: Part(ORDER, source(ORDER), "example.com/v1", "x", owners=(Owner("apps/v1", "Deployment", "web", "u"),)),
    }
    rewrites = [
        Rewrite(object=str(source(SECRET)), path="/data/url", old="hunter2", new="hunter3", why="namespace renamed"),
        Rewrite(
            object=str(source(SECRET)), path="/metadata/labels/ns", old="shop", new="shop2", why="namespace renamed"
        ),
        Rewrite(object=str(WEB), path="/spec/x", old="another's", new="y", why="of an object that is named so"),
    ]
    return Parts(
        backup="b",
        store="file:///s",
        namespaces={"shop": "shop2"},
        items=items,
        first=[SPACE],
        definitions=[CRD],
        order=order([SECRET, WEB, ORDER], EDGES),
        left_out=[LeftOut(type="Pod", namespace="shop", name="web-1", why="left to its controller")],
        rewrites=rewrites,
        wants={CLASS: frozenset({WEB})},
        kinds={("example.com", "Order"): CRD},
        absent={"service-ip": Absent.EMPTY},
        instead={EDGES[2]: "patched"},
        impossible=["Job a: no"],
    )


def test_the_document_says_what_waits_for_what_and_why():
    plan = document(parts())
    assert plan.format == "kubeferry.io/plan/v1"
    assert [(each.number, [one.name for one in each.objects]) for each in plan.levels] == [
        (1, ["login"]),
        (2, ["web"]),
        (3, ["first"]),
    ]
    web, first = plan.levels[1].objects[0], plan.levels[2].objects[0]
    assert [asdict(each) for each in web.needs] == [
        {
            "type": "Secret",
            "namespace": "shop2",
            "name": "login",
            "because": "spec.template.spec.volumes[].secret.secretName",
            "strength": "reference",
            "level": 1,
        }
    ]
    assert [(each.type, each.strength, each.level) for each in first.needs] == [
        ("CustomResourceDefinition.apiextensions.k8s.io", "definition", 0),
        ("Deployment.apps", "owner", 2),
    ]
    assert (web.ready, web.not_ready) == ("", "0 of 1 replicas")
    assert (web.source_namespace, web.source_name) == ("shop", "web")
    assert first.ready == "its condition Ready is true, if it has one"


def test_what_is_given_up_left_out_and_wanted_is_shown():
    plan = document(parts())
    assert [(each.source.name, each.target.name, each.because) for each in plan.broken] == [
        ("login", "first", "made.up")
    ]
    assert plan.broken[0].instead == "patched"
    assert plan.impossible == ["Job a: no"]
    assert [each.name for each in plan.left_out] == ["web-1"]
    assert [(each.name, [user.name for user in each.users]) for each in plan.target_must_have] == [("high", ["web"])]
    assert plan.summary.model_dump() == {
        "objects": 5,
        "levels": 3,
        "types": {
            "CustomResourceDefinition.apiextensions.k8s.io": 1,
            "Deployment.apps": 1,
            "Namespace": 1,
            "Order.example.com": 1,
            "Secret": 1,
        },
        "needs": 3,
        "broken": 1,
        "bindings": 2,
        "rewrites": {"namespace renamed": 2, "of an object that is named so": 1},
        "left_out": 1,
    }


def test_nothing_of_a_secrets_contents_is_shown():
    plan = document(parts())
    secret, web = plan.levels[0].objects[0], plan.levels[1].objects[0]
    assert [(each.old, each.new) for each in secret.rewrites] == [(HIDDEN, HIDDEN), ("shop", "shop2")]
    assert [each.old for each in (*secret.bindings, *web.bindings)] == [HIDDEN, "10.0.0.7"]
    assert asdict(replace(web.bindings[0], old="")) == {
        "old": "",
        "path": "/data/host",
        "layers": ("base64",),
        "chain": "Service shop2/web → spec.clusterIP",
        "kind": "service-ip",
        "policy": "empty",
        "late": False,
    }
    assert "hunter" not in plan.model_dump_json()


def test_rewrites_belong_to_the_object_of_that_name_in_the_backup():
    assert document(parts()).levels[1].objects[0].rewrites == ()


def test_json_and_back_is_the_same():
    plan = document(parts())
    assert PlanDocument.model_validate(json.loads(plan.model_dump_json())) == plan


def test_a_level_has_the_latest_phase_of_what_it_needs():
    assert level_phases(parts().order) == ["config", "workload", "custom"]
    later = order([SECRET, WEB], [Edge(SECRET, WEB, Strength.OWNER, "x")])
    assert level_phases(later) == [Priority.WORKLOAD.name.lower()] * 2
    assert level_phases(order([], [])) == []


def test_every_kind_that_has_a_rule_has_a_phrase():
    assert RULES.keys() == READY_WHEN.keys()
    assert ready_when(Ref("rbac.authorization.k8s.io", "Role", "a", "b")) == "it exists"


def test_a_custom_resource_of_a_protected_group_is_waited_for_as_one():
    gateway = Ref("gateway.networking.k8s.io", "Gateway", "a", "b")
    assert ready_when(gateway) == ready_when(Ref("cert-manager.io", "Certificate", "a", "b"))
    assert ready_when(gateway) == "its condition Ready is true, if it has one"


def test_the_document_is_written_piece_by_piece_as_it_would_be_at_once():
    plan = document(parts())
    whole = json.dumps(plan.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    assert "".join(json_pieces(as_data(plan))) == whole


def test_a_lazy_list_is_made_while_it_is_written():
    """What is made is not kept, an unprintable character is escaped, and an empty list is one."""
    made = []
    pieces = json_pieces(
        {"a": Lazy(range(5000), lambda number: made.append(number) or f"\u202e{number}"), "b": Lazy([], str)}
    )
    first = next(pieces)
    assert 0 < len(made) < 5000
    text = first + "".join(pieces)
    assert json.loads(text) == {"a": [f"\u202e{number}" for number in range(5000)], "b": []}
    assert "\u202e" not in text
