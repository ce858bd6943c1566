"""What people do in Prefect's UI, in a real browser: fill in forms, start runs, read pages, approve, cancel."""

import pytest
from playwright.sync_api import expect
from tests.support.bench import A, B, name
from tests.support.bundles import DENIED
from tests.support.objects import web_with_settings

from kubeferry.tasks.core.errors import ForbiddenError, InvalidError
from kubeferry.tasks.ports.records.restores import open_restore
from kubeferry.tasks.ports.store.open import open_store

pytestmark = pytest.mark.exclusive  # its deployments and workers have the names that others would use

SHOP = web_with_settings({"host": "web.SPACE.svc", "note": "<b>bold</b> [x](http://nowhere.invalid)"}, "hunter2-ui")
KINDS = ("ConfigMap", "Secret", "Deployment.apps", "ReplicaSet.apps", "Service", "Lease.coordination.k8s.io")


@pytest.fixture(scope="module")
def shop(bench):
    """A namespace on the first cluster, with a Deployment that is ready."""
    ns = bench.namespace("shop")
    bench.make(SHOP.replace("SPACE", ns), ns)
    bench.ready("Deployment", ns, "web")
    return ns


@pytest.fixture(scope="module")
def saved(ui, shop):
    """A backup of it, made from the form."""
    named = name()
    ui.form("backup/on-demand")
    ui.add("Namespaces", shop)
    ui.fill("Context", A)
    ui.fill("Name", named)
    ui.submit()
    ui.shows("Completed")
    return named


def content(bench, ns, context=B):
    """Return all objects of a namespace: what each is, its uid, and the version of what it holds."""
    return {
        (kind, each["metadata"]["name"]): (
            each["metadata"]["uid"],
            each["metadata"].get("generation"),
            each.get("data"),
        )
        for kind in KINDS
        for each in bench.list(kind, ns, context)
    }


# --- the form


FIELDS = {
    "Backup": "Name of the backup; empty with `resume`.",
    "Map": 'Namespaces to rename, old to new name, for example `{"shop": "shop-copy"}`.',
    "Approve": "Before anything is written, pause with the plan as an artifact",
    "Wait seconds": "Longest time to wait for one level to become ready, in seconds. From 1 to 86400.",
}


def test_the_form_of_a_restore_has_typed_fields_with_descriptions(ui, bench):
    ui.form("restore/on-demand")
    for title, description in FIELDS.items():
        expect(ui.field(title)).to_contain_text(description)
    expect(ui.field("Approve").get_by_role("switch")).not_to_be_checked()
    expect(ui.field("Wait seconds").get_by_role("spinbutton")).to_have_value("300")
    expect(ui.field("Context").get_by_role("textbox")).to_have_value(B)
    expect(ui.field("Store").get_by_role("textbox")).to_have_value(bench.where["store"])
    assert ui.choices("Existing") == ["fail", "skip", "update", "recreate"]
    assert ui.choices("Owned") == ["rebuild", "keep"]
    titles = [each.removesuffix(" (Optional)") for each in ui.titles()]
    assert titles[:6] == ["Backup", "Namespaces", "Namespace selector", "Exclude namespace", "Context", "Store"]


@pytest.mark.soak
def test_the_form_refuses_what_is_wrong_before_there_is_a_run(ui):
    before = ui.runs()
    ui.form("restore/on-demand")
    ui.fill("Name", "Bad Name!")
    ui.fill("Map", {"Shop": "shop"})
    ui.submit_button.click()
    expect(ui.field("Backup")).to_contain_text("'' should be non-empty")
    expect(ui.field("Name")).to_contain_text("'Bad Name!' does not match")
    expect(ui.field("Map")).to_contain_text("'Shop' does not match")
    assert ui.runs() == before
    ui.fill("Backup", "some")
    ui.fill("Name", "")
    ui.fill("Map", {})
    ui.fill("Wait seconds", 0)  # the browser itself holds this one back
    ui.submit_button.click()
    bounded = ui.field("Wait seconds").get_by_role("spinbutton")
    assert bounded.evaluate("each => each.validity.rangeUnderflow")
    expect(ui.submit_button).to_be_visible()
    ui.fill("Wait seconds", 86401)
    assert bounded.evaluate("each => each.validity.rangeOverflow")
    assert ui.runs() == before


# --- runs


def test_a_backup_is_started_there_and_its_tasks_are_listed_in_order(ui, bench, shop, saved):
    assert (bench.folder / "backups" / saved / "velero-backup.json").exists()
    assert ui.title() == f"backup {saved}"
    tasks = ui.task_names(last=f"verify {saved}")
    assert set(tasks[1:3]) == {f"fetch {shop}", "fetch (cluster)"}  # side by side
    stripped = [f"strip {shop}", "fetch (named)", "strip (cluster)"]
    assert [tasks[0], *tasks[3:]] == ["discover", "index", *stripped, f"upload {saved}", f"verify {saved}"]
    page = ui.artifact(f"backup-{saved}")
    expect(page.get_by_role("heading", name=f"Backup {saved}: Completed")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=f"namespaces: {shop}")).to_be_visible()


def test_a_restore_with_a_rename_and_its_pages(ui, bench, shop, saved):
    new = bench.name("copy")
    named = name()
    ui.form("restore/on-demand")
    ui.fill("Backup", saved)
    ui.fill("Map", {shop: new})
    ui.fill("Name", named)
    ui.keep("form-of-restore")
    ui.submit()
    ui.shows("Completed")
    assert ui.title() == f"restore {saved} ({shop} → {new})"
    assert bench.get("ConfigMap", new, "settings", B)["data"]["host"] == f"web.{new}.svc"
    assert bench.ready("Deployment", new, "web", B)
    run = ui.page.url
    page = ui.artifact(f"restore-{named}")
    expect(page.get_by_role("heading", name=f"Restore {named}: Completed")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text=f"namespaces: {shop} → {new}")).to_be_visible()
    expect(page.get_by_role("code").filter(has_text=f"web.{new}.svc")).to_be_visible()
    ui.keep("result-of-restore")
    ui.well_written(page)
    page.get_by_role("link", name="All of it by type").click()
    table = ui.newest().get_by_role("table")
    expect(table.get_by_role("row").filter(has_text="Deployment.apps")).to_contain_text("1")
    expect(table.get_by_role("row").filter(has_text="ReplicaSet.apps")).to_contain_text("left to its controller")
    assert "hunter2-ui" not in ui.page.content()
    ui.page.goto(run, wait_until="commit")
    first = [f"download {saved}", "plan", "preflight", "open the journal", f"create namespace {new}"]
    begun = [*first, "lease the namespaces", "dry run", "make the bundle"]
    levels = ["apply level 1", "wait level 1", "apply level 2", "wait level 2"]
    ended = ["verify", "list what was created", "close the journal"]
    assert ui.task_names(last="close the journal") == [*begun, *levels, *ended]
    ui.keep("run-of-restore")


def test_an_export_from_its_form_and_its_page(ui, saved, tmp_path):
    out = tmp_path / "exported"
    ui.form("export/on-demand")
    assert ui.choices("Format") == ["yaml", "kustomize", "helm"]
    assert ui.choices("Secrets") == ["omit", "include", "external", "age"]
    ui.fill("Backup", saved)
    ui.choose("Format", "kustomize")
    ui.fill("Out", str(out))
    ui.submit()
    ui.shows("Completed")
    assert ui.title() == f"export {saved} as kustomize"
    assert (out / "overlays/default/kustomization.yaml").exists()
    page = ui.artifact(f"export-{saved}")
    expect(page.get_by_role("heading", name=f"Export of backup {saved}")).to_be_visible()
    expect(page.get_by_role("heading", name="Secrets that are not here")).to_be_visible()
    ui.well_written(page)
    assert "hunter2-ui" not in ui.page.content()


@pytest.mark.soak
def test_a_migration_with_its_table_and_progress(ui, bench, shop):
    new, named = bench.name("moved"), name()
    ui.form("migrate/on-demand")
    ui.add("Namespaces", shop)
    ui.fill("From context", A)
    ui.fill("To context", B)
    ui.fill("Map", {shop: new})
    ui.fill("Name", named)
    ui.submit()
    ui.shows("Completed")
    assert ui.title() == f"migrate {named}"
    assert bench.ready("Deployment", new, "web", B)
    run = ui.page.url
    table = ui.artifact(f"migrate-{named}").get_by_role("table")
    expect(table.get_by_role("row").filter(has_text=shop)).to_contain_text("Completed")
    ui.page.goto(run, wait_until="commit")
    expect(ui.artifact(f"migrate-{named}-progress")).to_contain_text("100")


# --- approval


@pytest.fixture
def asked(ui, bench, shop, saved):
    """A restore that waits for approval, its page open: its name and namespace."""
    new, named = bench.name("asked"), name()
    ui.form("restore/on-demand")
    ui.fill("Backup", saved)
    ui.fill("Map", {shop: new})
    ui.fill("Name", named)
    ui.switch("Approve")
    ui.submit()
    ui.shows("Paused")
    assert bench.find("Namespace", "", new, B) is None
    return named, new


def test_a_paused_restore_shows_its_plan_and_goes_on_when_it_is_approved(ui, bench, asked):
    named, new = asked
    run = ui.page.url
    page = ui.artifact(f"restore-{named}-plan")
    expect(page.get_by_role("heading", name=f"Restore {named} waits for approval")).to_be_visible()
    expect(page.get_by_role("table").get_by_role("row").filter(has_text="Deployment.apps")).to_be_visible()
    expect(page.get_by_role("code").filter(has_text=f"web.{new}.svc")).to_be_visible()
    ui.keep("plan-to-approve")
    ui.well_written(page)
    ui.page.goto(run, wait_until="commit")
    form = ui.resume()
    ui.choose("Decision", "approve", form)
    ui.fill("By", "alice", form)
    ui.keep("approval")
    form.get_by_role("button", name="Resume").click()
    ui.shows("Completed")
    assert bench.get("Secret", new, "token", B)


@pytest.mark.soak
def test_a_paused_restore_that_is_refused_writes_nothing(ui, bench, asked):
    named, new = asked
    form = ui.resume()
    ui.choose("Decision", "refuse", form)
    ui.fill("Reason", "wrong cluster", form)
    form.get_by_role("button", name="Resume").click()
    ui.shows("Failed")
    ui.logs(f"restore {named} was not approved: wrong cluster")
    assert bench.find("Namespace", "", new, B) is None
    assert not (bench.folder / "restores" / named).exists()


# --- cancellation


@pytest.fixture
def cancelled(ui, bench, shop, saved):
    """A restore cancelled while it waits, as no Pod may start: its name, its namespace, and what that held before."""
    new, named = bench.namespace("halt", B), name()
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}, data: {a: b}}", new, B)
    bench.make("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {host: old}}", new, B)
    bench.make(DENIED.format(name=new, ns=new, group="''", verb="CREATE", what="pods"), context=B)
    bench.until(lambda: no_pods(bench, new))
    before = content(bench, new)
    ui.form("restore/on-demand")
    ui.fill("Backup", saved)
    ui.fill("Map", {shop: new})
    ui.fill("Name", named)
    ui.choose("Existing", "update")
    ui.submit()
    bench.until(lambda: bench.find("Deployment", new, "web", B))
    assert content(bench, new) != before
    ui.cancel()
    ui.shows("Cancelled")
    return named, new, before


def no_pods(bench, ns):
    """Return whether the policy is in force; the API server takes a moment to compile it."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": ns}}
    pod["spec"] = {"containers": [{"name": "c", "image": "nginx"}]}
    try:
        bench.clusters[B].create(bench.kind("Pod", context=B), ns, pod, dry_run=True)
    except (InvalidError, ForbiddenError):
        return True
    return False


def stopped_in_order(ui, bench, named, new):
    """The process ended by itself within its grace: it said so, released its lease, and left its journal whole."""
    ways = f"what it did stays: kubeferry restore --resume {named}, or kubeferry undo {named}"
    ui.logs(f"restore {named} was stopped; {ways}")
    assert bench.list("Lease.coordination.k8s.io", new, B) == []
    state = open_restore(open_store(bench.where["store"]), named).state
    assert (state.end, state.doubtful) == ("Stopped", {})
    page = ui.artifact(f"restore-{named}")
    expect(page.get_by_role("heading", name=f"Restore {named}: Stopped")).to_be_visible()
    expect(page.get_by_role("code").filter(has_text=f"kubeferry undo {named}")).to_be_visible()


@pytest.mark.soak
def test_a_cancelled_restore_can_be_undone(ui, bench, kubeferry_process, cancelled):
    named, new, before = cancelled
    stopped_in_order(ui, bench, named, new)
    code, _, err = kubeferry_process("undo", named, "--yes", "--context", B, "--store", bench.where["store"])
    assert code == 0, err
    bench.until(lambda: content(bench, new) == before)


@pytest.mark.soak
def test_a_cancelled_restore_is_resumed_from_the_form(ui, bench, shop, cancelled):
    named, new, _ = cancelled
    stopped_in_order(ui, bench, named, new)
    for kind in ("ValidatingAdmissionPolicyBinding", "ValidatingAdmissionPolicy"):
        bench.delete(kind, "", new, B)
    ui.form("restore/on-demand")
    ui.fill("Resume", named)
    ui.submit()
    ui.shows("Completed")
    assert ui.title() == f"resume restore {named}"
    assert bench.ready("Deployment", new, "web", B)
    assert bench.get("ConfigMap", new, "settings", B)["data"]["host"] == f"web.{new}.svc"
    assert bench.get("ConfigMap", new, "mine", B)["data"] == {"a": "b"}
    there = {each for each in content(bench, new) if each[0] != "ReplicaSet.apps"}
    assert there == {each for each in content(bench, shop, A) if each[0] != "ReplicaSet.apps"} | {("ConfigMap", "mine")}
