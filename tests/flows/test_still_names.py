"""Plan, page of approval, page of HTML and result have a section for what still names the old namespace."""

import base64
import json
from datetime import UTC, datetime

import pytest

from kubeferry.flows.console import results
from kubeferry.flows.console.plan_page import page as html_page
from kubeferry.tasks.core.formats.loss_sections import sections
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.core.plan.approval import Asking, page
from kubeferry.tasks.core.plan.document import PlanDocument
from kubeferry.tasks.core.plan.forecast import Forecast

TITLE = "Still names the old namespace, left"


def config(name, data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": data}


SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
NOTES = config("notes", {"hint": base64.b64encode(b"ask in shop").decode(), "go": "x%2Fshop%2Fy", "web": "shop.io"})
MANY = config("many", {f"k{n}": "the shop" for n in range(9)})


@pytest.fixture
def planned(cli, shelf):
    shelf.add_velero("theirs", [SPACE, NOTES, MANY])

    def run(*args):
        code, out, err = cli("plan", "theirs", "--store", shelf.url, "--map", "shop=copy", *args)
        assert (code, err) == (0, ""), err
        return out

    return run


def losses(text):
    return [each for each in json.loads(text)["losses"] if each["code"] == "still-names"]


def test_a_document_has_all_of_them(planned):
    found = losses(planned("-o", "json"))
    assert [(each["object"], each["path"]) for each in found] == [
        *(("ConfigMap copy/many", f"/data/k{n}") for n in range(9)),
        ("ConfigMap copy/notes", "/data/go"),
        ("ConfigMap copy/notes", "/data/hint"),
    ]
    assert found[-1]["why"] == "still names shop (in base64)"


def test_the_table_has_a_section_with_a_few_of_each_object(planned):
    lines = planned().split(f"\n{TITLE}\n")[1].split("\n\n")[0].splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *(f"  ConfigMap copy/many /data/k{n}" for n in range(5)),
        "  ConfigMap copy/many",
        "  ConfigMap copy/notes /data/go",
        "  ConfigMap copy/notes /data/hint",
    ]
    assert "4 more places" in lines[5]


def test_pages_and_results_have_it(planned, capsys):
    plan = PlanDocument.model_validate(json.loads(planned("-o", "json")))
    asking = Asking("r", RestoreOptions(backup="theirs"), "c", datetime(2026, 1, 1, tzinfo=UTC), "kubeferry plan")
    approval = page(asking, plan, Forecast((), ()))
    assert f"## {TITLE}" in approval
    assert "Not as it was" not in approval
    assert TITLE in html_page(plan)
    results.losses(plan.losses)
    assert TITLE in capsys.readouterr().out


def test_without_a_new_name_nothing_is_listed(cli, shelf):
    shelf.add_velero("theirs", [SPACE, NOTES])
    assert losses(cli("plan", "theirs", "--store", shelf.url, "-o", "json")[1]) == []


def test_also_and_rules_take_places_in(planned, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("- place: ConfigMap shop/many /data/*\n  template: the {namespace}\n")
    found = losses(planned("-o", "json", "--rewrite-also", "base64", "--rewrite-rules", str(rules)))
    assert [each["path"] for each in found] == ["/data/go"]


def test_an_unknown_class_is_an_error_of_use(cli, shelf):
    shelf.add_velero("theirs", [SPACE, NOTES])
    code, _, err = cli("plan", "theirs", "--store", shelf.url, "--map", "shop=copy", "--rewrite-also", "dns")
    assert code == 2
    assert "the classes are word, base64, url, key" in err


def test_other_losses_stay_in_their_section():
    some = [Loss.of("A b/c", LossCode.PRUNED), Loss.of("A b/c", LossCode.STILL_NAMES, "x")]
    assert [title for title, _ in sections(some)] == ["Not as it was", TITLE]
