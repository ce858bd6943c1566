"""`kubeferry prune` on stores that need no cluster: what it shows and refuses; a dry run changes nothing."""

import json

import pytest


@pytest.fixture
def full(shelf):
    """A store with three backups of one series, the newest last by name."""
    for name in ("a", "b", "c"):
        shelf.add(name)
    return shelf


def names(shelf):
    return shelf.store.folders("backups/")


def test_a_dry_run_shows_what_is_deleted_and_why(cli, full):
    code, out, _ = cli("prune", "--keep-last", "1", "--dry-run", "--store", full.url)
    rows = [line.split() for line in out.splitlines()]
    assert code == 0
    assert [row[:5] for row in rows[1:4]] == [
        [name, "Completed", "2026-01-02", "03:04", verdict]
        for name, verdict in (("a", "remove"), ("b", "remove"), ("c", "keep"))
    ]
    assert "2 would be removed" in out
    assert names(full) == ["a", "b", "c"]


def test_its_json_has_the_digest_to_agree_to(cli, full):
    code, out, _ = cli("prune", "--keep-last", "2", "--dry-run", "-o", "json", "--store", full.url)
    found = json.loads(out)
    assert (code, found["dry_run"], found["going"], len(found["digest"])) == (0, True, 1, 64)
    assert [(each["name"], each["keep"]) for each in found["judged"]] == [("a", False), ("b", True), ("c", True)]


def test_without_a_terminal_it_wants_a_yes(cli, full):
    code, _, err = cli("prune", "--keep-last", "1", "--store", full.url)
    assert (code, "use --yes to remove, or --dry-run to look first" in err) == (2, True)
    assert names(full) == ["a", "b", "c"]


def test_a_damaged_backup_makes_it_partial(cli, full):
    full.path("backups/b/velero-backup.json").write_text("{")
    code, out, _ = cli("prune", "--keep-last", "1", "--dry-run", "--store", full.url)
    assert (code, "velero-backup.json is not JSON" in out) == (3, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--keep-within", "3m"), "--keep-within '3m' is not a duration"),
        (("--restores-within", "soon"), "--restores-within 'soon' is not a duration"),
        (("--keep-last", "-1"), "--keep-last"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(cli, full, words, message):
    code, _, err = cli("prune", *words, "--dry-run", "--store", full.url)
    assert (code, message in err) == (2, True)


def test_an_empty_store_is_reported(cli, shelf):
    code, out, _ = cli("prune", "--keep-last", "1", "--dry-run", "--store", shelf.url)
    assert (code, "there is nothing in it" in out) == (0, True)
