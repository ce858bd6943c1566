"""What people do in Prefect's UI, in a real browser: fill in the form of a run."""

from playwright.sync_api import expect

from tests.cluster.restores import B

FIELDS = {
    "Backup": "Name of the backup; empty only with `resume`, which knows it.",
    "Map": 'Namespaces to rename, old name to new name, for example `{"shop": "shop-copy"}`.',
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
    ui.keep("form-of-restore")


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
