"""Faults while a restore writes: in the end all is there, or all is as before, or the error says what stays."""

import time

import pytest
import yaml
from tests.faults.actions import answer, cut, doing, edit, lose, truncate, truncate_silently
from tests.faults.proxy import EVERY, Rule
from tests.faults.servers import only_writes, review, serving, webhook
from tests.support.bench import A, B, definition
from tests.support.tiers import fast

from kubeferry.tasks.core.errors import PermanentError, PreflightError, UnavailableError, UnreachableError
from kubeferry.tasks.ports.cluster import transport
from kubeferry.tasks.restore import namespaces

LASTING = {
    "429": answer(429, after=1),
    "500": answer(500),
    "503": answer(503),
    "cut before": cut,
    "cut after": lose,
    "truncated": truncate,
    "truncated without length": truncate_silently,
}
PASSES_NOT = "the proxy says no|is out of reach: "


REFUSED = ("429", "500", "503", "cut before")


@pytest.mark.parametrize("fault", fast(REFUSED, "503"))
def test_a_kind_that_cannot_be_created(rig, kiosk, fault):
    rig.b.rules = [rule := Rule("POST", "/configmaps", LASTING[fault], EVERY)]
    with rig.in_vain(PASSES_NOT, (UnavailableError, UnreachableError)) as copy:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done > 6
    rig.once_more(kiosk, copy)


@pytest.mark.parametrize("fault", fast(LASTING, "503", "cut after"))
def test_a_dry_run_that_is_never_answered_stops_all_before_anything_is_written(rig, kiosk, fault):
    rig.b.rules = [rule := Rule("POST", "/configmaps.*dryRun=All", LASTING[fault], EVERY)]
    with rig.in_vain(PASSES_NOT, (UnavailableError, UnreachableError)) as copy:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done > 6
    assert rig.bench.list("Secret", copy, B) == []
    rig.once_more(kiosk, copy)


@pytest.mark.parametrize("fault", fast([each for each in LASTING if each not in REFUSED], "cut after"))
def test_a_kind_that_is_created_and_never_answered(rig, kiosk, fault):
    """Whether it is there is found out: by looking in a namespace that was there, else when it is rolled back."""
    rig.b.rules = [rule := Rule("POST", "/configmaps", LASTING[fault], EVERY)]
    rig.same_namespace(kiosk, rig.restore(kiosk.saved, map={kiosk.ns: rig.bench.namespace(context=B)}))
    assert rule.done > 6
    copy = rig.bench.name()
    with rig.refused(PASSES_NOT, (UnavailableError, UnreachableError)) as caught:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    rig.as_before_or_reported(caught.value, copy, {})


def test_a_quota_that_others_change_at_the_same_time_is_no_end(rig, kiosk):
    """The API server then answers a POST with 409 Conflict, about the ResourceQuota and not about the object."""
    body = b'{"kind":"Status","code":409,"reason":"Conflict","message":"resourcequotas shop: it has been modified"}'
    rig.b.rules = [rule := Rule("POST", "/services", answer(409, body=body))]
    rig.same_namespace(kiosk, rig.restore(kiosk.saved, map={kiosk.ns: rig.bench.name()}))
    assert rule.done == 1


def test_a_late_value_that_cannot_be_patched(rig, kiosk):
    """The namespace, too, is this restore's own."""
    rig.b.rules, copy = [rule := Rule("PATCH", "/configmaps/c", LASTING["503"], EVERY)], rig.bench.name()
    with rig.refused(PASSES_NOT, UnavailableError) as caught:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done > 6
    rig.as_before_or_reported(caught.value, copy, {})
    rig.once_more(kiosk, copy)


def test_a_late_value_whose_patch_is_never_answered_is_seen_to_be_there(rig, shop):
    rig.b.rules = [rule := Rule("PATCH", "/configmaps/c", lose, EVERY)]
    rig.same_namespace(shop, rig.restore(shop.saved, map={shop.ns: rig.bench.name()}))
    assert rule.done > 1


@pytest.mark.parametrize("fault", fast(["503", "cut before", "cut after"], "503", "cut after"))
def test_what_cannot_be_rolled_back_is_reported_and_can_be_undone_later(rig, kiosk, fault):
    refused = answer(422, body=b'{"kind":"Status","code":422,"reason":"Invalid"}')
    rig.b.rules = [Rule("POST", "/secrets", refused, EVERY), rule := Rule("DELETE", "", LASTING[fault], EVERY)]
    copy = rig.bench.namespace(context=B)
    before = rig.there(copy)
    with rig.refused(f"create Secret {copy}/", PermanentError) as caught:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done
    assert caught.value.result.taken_back.left
    rig.as_before_or_reported(caught.value, copy, before)
    rig.quiet()
    rig.undo(caught.value.result)
    rig.bench.until(lambda: rig.there(copy) == before)
    rig.once_more(kiosk, copy)


@pytest.mark.parametrize("existing", ["update", "recreate"])
def test_what_is_there_already_is_changed_once_however_many_answers_get_lost(rig, shop, existing):
    copy = rig.bench.name()
    rig.restore(shop.saved, map={shop.ns: copy})
    rig.bench.patch("ConfigMap", copy, "a", {"data": {"text": "other"}}, B)
    rig.bench.patch("Secret", copy, "db", {"stringData": {"password": "other"}}, B)
    rig.bench.patch("Service", copy, "behind", {"spec": {"sessionAffinity": "ClientIP"}}, B)
    rig.b.rules = [rule := Rule("POST|PUT|PATCH|DELETE", "^(?!.*(accessreview|/leases/))", lose, each=True)]
    result = rig.restore(shop.saved, map={shop.ns: copy}, existing=existing)
    assert rule.done >= 3
    changed = {f"{each.type}/{each.name}" for each in result.notable if each.action == f"{existing}d"}
    assert changed == {"ConfigMap/a", "Secret/db", "Service/behind"}
    rig.same_namespace(shop, result)


# --- admission


@pytest.fixture
def hook(rig, tmp_path):
    """A namespace of B, and a server that is asked before a ConfigMap is made in it, until it is unhooked."""
    copy = rig.bench.namespace(context=B)
    named = {"kind": "ValidatingWebhookConfiguration", "namespace": "", "name": copy, "context": B}
    with serving(tmp_path) as server:
        server.hook = lambda **more: rig.bench.make(webhook(copy, server, copy, "configmaps", **more), context=B)
        server.unhook = lambda: rig.bench.delete(**named)
        server.hook()
        yield copy, server
        if rig.bench.find(**named):
            server.unhook()


FIRST_SEEN = [
    pytest.param(lambda respond: respond, PreflightError, "cannot take this restore: ConfigMap", id="in a dry run"),
    pytest.param(only_writes, PermanentError, "create ConfigMap", id="when written"),
]
"""How a webhook judges; the error, and what it says of the object."""


@pytest.mark.parametrize(("judging", "kind", "what"), FIRST_SEEN)
def test_a_webhook_that_denies_is_named_with_its_words(rig, kiosk, hook, judging, kind, what):
    copy, server = hook
    server.respond = judging(review(allowed=False, message="not on a Friday"))
    words = f'{what} {copy}/.*: admission webhook "{copy}.example.com" denied the request: not on a Friday'
    with rig.in_vain(words, kind, copy):
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    server.unhook()
    rig.once_more(kiosk, copy)


@pytest.mark.parametrize(("judging", "kind", "what"), FIRST_SEEN)
def test_a_webhook_that_times_out_is_named(rig, kiosk, hook, monkeypatch, judging, kind, what):
    copy, server = hook
    allow = review(allowed=True)

    def late(path, body):
        time.sleep(6)
        return allow(path, body)

    server.respond = judging(late)
    server.unhook()
    server.hook(seconds=5)
    with monkeypatch.context() as patch:
        patch.setattr(transport, "RETRY", transport.RETRY.new(total=1))
        with rig.in_vain(f'{what} {copy}/.*failed calling webhook "{copy}.example.com"', kind, copy):
            rig.restore(kiosk.saved, map={kiosk.ns: copy})
    server.respond = allow
    server.unhook()
    server.hook()
    rig.once_more(kiosk, copy)


def test_a_webhook_that_hangs_up_is_asked_again_until_it_answers(rig, kiosk, hook):
    """In a dry run, and when it is written."""
    copy, server = hook
    asked, allow = [], review(allowed=True)

    def respond(path, body):
        about = body["request"]["name"], body["request"]["dryRun"]
        asked.append(about)
        return allow(path, body) if asked.count(about) > 2 else None

    server.respond = respond
    rig.once_more(kiosk, copy)
    assert asked.count(("a", True)) > 2
    assert asked.count(("a", False)) > 2


def test_a_quota_that_is_exceeded_in_the_middle(rig, kiosk):
    copy = rig.bench.namespace(context=B)

    def tighten():
        quota = "{apiVersion: v1, kind: ResourceQuota, metadata: {name: tight}, spec: {hard: {configmaps: '1'}}}"
        rig.bench.make(quota, copy, B)
        rig.bench.until(lambda: rig.bench.get("ResourceQuota", copy, "tight", B)["status"]["used"]["configmaps"])

    before = rig.there(copy)
    rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", doing(tighten))]
    with rig.refused(f"ConfigMap {copy}/.*exceeded quota: tight, requested: configmaps=1") as caught:
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done == 1
    rig.bench.delete("ResourceQuota", copy, "tight", B)
    rig.as_before_or_reported(caught.value, copy, before)
    rig.once_more(kiosk, copy)


# --- definitions


@pytest.fixture
def widgets(rig):
    """A backup of a namespace with a Widget, whose definition B has not."""
    ns = rig.bench.namespace("widgets")
    group = rig.bench.crd(ns)
    rig.bench.forget("CustomResourceDefinition", f"widgets.{group}", A)
    rig.bench.make(f"{{apiVersion: {group}/v1, kind: Widget, metadata: {{name: one}}}}", ns)
    saved = rig.bench.backup(ns)
    yield ns, group, saved
    if rig.bench.find("CustomResourceDefinition", "", f"widgets.{group}", B):
        rig.bench.forget("CustomResourceDefinition", f"widgets.{group}")


def test_a_definition_whose_name_is_taken(rig, widgets):
    ns, group, saved = widgets
    other = yaml.safe_load(definition(group, "Gizmo"))
    other["spec"]["names"]["shortNames"] = ["widgets"]
    rig.bench.make(yaml.safe_dump(other), context=B)
    rig.bench.until(lambda: rig.bench.clusters[B].discover().by_kind(group, "Gizmo"))
    with rig.refused(rf'^CustomResourceDefinition\S* widgets.{group} failed: .*"widgets" is already in use') as caught:
        rig.restore(saved)
    rig.as_before_or_reported(caught.value, ns, {})
    assert rig.bench.find("CustomResourceDefinition", "", f"widgets.{group}", B) is None
    rig.bench.delete("CustomResourceDefinition", "", f"gizmos.{group}", B)
    assert rig.restore(saved).problems == []


def test_a_definition_that_is_never_served(rig, widgets, monkeypatch):
    ns, group, saved = widgets
    monkeypatch.setattr(namespaces, "SERVED_SECONDS", 1)
    hidden = edit(lambda body: body.replace(group.encode(), b"other.example.com"), "left out of discovery")
    rig.b.rules = [rule := Rule("GET", "^/apis$", hidden, EVERY)]
    with rig.refused(f"^established and not served within 1 s: Widget.{group}$", PermanentError) as caught:
        rig.restore(saved)
    assert rule.done > 1
    rig.as_before_or_reported(caught.value, ns, {})
    rig.quiet()
    assert rig.restore(saved).problems == []


# --- namespaces that go


HELD = "{apiVersion: v1, kind: ConfigMap, metadata: {name: held, finalizers: [example.com/held]}}"


def begin_deletion(bench, ns, context):
    """Delete a namespace in which something stays."""
    bench.make(HELD, ns, context)
    found = bench.get("Namespace", "", ns, context)
    bench.clusters[context].delete(bench.kind("Namespace"), "", ns, uid=found["metadata"]["uid"])


def let_go(bench, ns, context):
    bench.patch("ConfigMap", ns, "held", {"metadata": {"finalizers": None}}, context)


def test_a_namespace_that_is_stuck_is_named_and_nothing_is_written(rig, kiosk, monkeypatch):
    monkeypatch.setattr(namespaces, "GONE_SECONDS", 8)
    copy = rig.bench.namespace(context=B)
    begin_deletion(rig.bench, copy, B)
    rig.bench.until(lambda: "example.com/held" in str(rig.bench.get("Namespace", "", copy, B)["status"]["conditions"]))
    try:
        with rig.refused(f"^namespace {copy} is still being deleted after 8 s: .*example.com/held", PermanentError):
            rig.restore(kiosk.saved, map={kiosk.ns: copy})
        assert {each["metadata"]["name"] for each in rig.bench.list("ConfigMap", copy, B)} <= {
            "held",
            "kube-root-ca.crt",
        }
    finally:
        let_go(rig.bench, copy, B)
    monkeypatch.undo()
    rig.once_more(kiosk, copy)


def test_a_namespace_that_is_deleted_at_last_is_waited_for(rig, kiosk):
    copy = rig.bench.namespace(context=B)
    begin_deletion(rig.bench, copy, B)
    rig.b.rules = [
        rule := Rule(
            "GET", f"/namespaces/{copy}$", doing(lambda: let_go(rig.bench, copy, B), name="let go"), range(3, 4)
        )
    ]
    rig.same_namespace(kiosk, rig.restore(kiosk.saved, map={kiosk.ns: copy}))
    assert rule.done == 1


def test_a_namespace_that_is_deleted_while_it_is_restored(rig, kiosk):
    """It is reported of one object or of many: as many as had not been created when the deletion began."""
    copy = rig.bench.name()
    deleted = doing(lambda: begin_deletion(rig.bench, copy, B), name="namespace deleted")
    rig.b.rules = [rule := Rule("POST", f"/{copy}/configmaps", deleted)]
    with rig.refused(f"{copy}.* because it is being terminated", PermanentError):
        rig.restore(kiosk.saved, map={kiosk.ns: copy})
    assert rule.done == 1
    let_go(rig.bench, copy, B)
    rig.bench.until(lambda: rig.bench.find("Namespace", "", copy, B) is None)
    rig.once_more(kiosk, copy)


def test_a_namespace_that_is_deleted_while_it_is_backed_up_is_saved_as_it_was(rig):
    ns = rig.bench.namespace("going")
    rig.bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: one}}", ns)
    clean = rig.bench.backup(ns)
    rig.a.rules = [
        rule := Rule(
            "GET", f"/{ns}/configmaps", doing(lambda: begin_deletion(rig.bench, ns, A), name="namespace deleted")
        )
    ]
    try:
        rig.same_backup(clean, rig.backup(ns))
    finally:
        let_go(rig.bench, ns, A)
    assert rule.done == 1
