"""The forms for issues are what GitHub takes: every field has a kind and a label, and a name of its own."""

import pytest
import yaml
from tests.docs.readmes import ROOT

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"textarea", "input", "dropdown", "checkboxes", "markdown"}


def load(path):
    return yaml.safe_load(path.read_text())


def test_there_are_two_forms_and_no_blank_issues():
    assert [path.stem for path in FORMS] == ["bug", "config", "feature"]
    assert load(FORMS[1]) == {"blank_issues_enabled": False}


@pytest.mark.parametrize("path", [path for path in FORMS if path.stem != "config"], ids=lambda path: path.stem)
def test_a_form_is_one_that_github_takes(path):
    form = load(path)
    assert {"name", "description", "body"} <= form.keys() <= {"name", "description", "labels", "body"}
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in form["body"]} <= KINDS
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
