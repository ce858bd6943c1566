"""`kubeferry populate`: what it refuses before any flow begins."""

import pytest


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name the namespaces to create, with --into or --into-file"),
        (("--into", "a,b,a"), "namespace a is named twice"),
        (("--into", "Bad"), "--into: namespace 1: name"),
        (("--into-file", "nowhere.csv"), "nowhere.csv: No such file or directory"),
        (("--into", "a", "--template", "Bad"), "--template"),
        (("--into", "a", "--modify", "{file}"), "there is no"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(cli, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.yaml").write_text("version: v9\nresourceModifierRules: []")
    code, _, err = cli("populate", "first", *(word.format(file="m.yaml") for word in words))
    assert code == 2
    assert message in err or "m.yaml" in err
