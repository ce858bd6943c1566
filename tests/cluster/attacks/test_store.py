"""Whoever else writes to the store while a backup is made: a run that lost the name of its backup stops."""

from contextlib import contextmanager
from datetime import timedelta

import orjson
import pytest
from tests.support.objects import config_map

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.layout import BackupKeys
from kubeferry.tasks.ports.local import clock
from kubeferry.tasks.ports.store.local import LocalStore
from kubeferry.tasks.ports.store.open import open_store


@pytest.fixture(scope="module")
def ns(steps):
    named = steps.bench.namespace("lost")
    steps.bench.make(config_map("settings", {"a": "1"}), named)
    return named


@pytest.mark.parametrize(
    ("after", "missing"),
    [
        (".tar.gz", ["kubeferry-manifest.json.gz", "velero-backup.json"]),
        ("kubeferry-manifest.json.gz", ["velero-backup.json"]),
    ],
)
def test_an_upload_whose_name_another_run_took_meanwhile_writes_nothing_more(steps, ns, monkeypatch, after, missing):
    """Its machine slept for two hours after it had written a file: nobody renewed the reservation."""
    asked, real, slept = steps.bench.name("b"), LocalStore._written, []
    keys, store, now = BackupKeys(asked), open_store(steps.where["store"]), clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + timedelta(hours=2 * len(slept)))

    @contextmanager
    def written(self, key, *more, **named):
        with real(self, key, *more, **named) as file:
            yield file
        if key == keys.folder + (f"{asked}{after}" if after.startswith(".") else after):
            store.put(keys.reservation, orjson.dumps({"holder": "/work/of-another"}))
            slept.append(key)

    monkeypatch.setattr(LocalStore, "_written", written)
    with pytest.raises(PermanentError, match=f"backup {asked}: another run has taken its name"):
        steps.backup(ns, name=asked)
    there = {entry.key.removeprefix(keys.folder) for entry in store.list(keys.folder)}
    assert len(slept) == 1
    assert [each for each in missing if each in there] == []
    assert orjson.loads(store.get(keys.reservation))["holder"] == "/work/of-another"


def test_the_last_file_is_written_only_where_the_store_says_that_the_name_is_ours(steps, ns, monkeypatch):
    """No time has passed, so that nothing is doubtful: somebody who may write there gave the name to another run."""
    asked, real = steps.bench.name("b"), LocalStore.put
    keys, store = BackupKeys(asked), open_store(steps.where["store"])

    def put(self, key, data):
        real(self, key, data)
        if key == keys.manifest:
            real(self, keys.reservation, orjson.dumps({"holder": "/work/of-another"}))

    monkeypatch.setattr(LocalStore, "put", put)
    with pytest.raises(PermanentError, match=f"backup {asked}: another run has taken its name"):
        steps.backup(ns, name=asked)
    assert not store.exists(keys.metadata)
    assert orjson.loads(store.get(keys.reservation))["holder"] == "/work/of-another"
