"""What was written before the modules moved is still read: a backup, a killed restore, what commands print.

tests/data/recorded/store was written by the product of commit 3923567. The restore in it was killed after its
first level.
"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from tests.support.bench import B

from kubeferry.flows.restore import restore
from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.ports.cluster.cached import cluster_uid

RECORDED = Path(__file__).parents[2] / "data" / "recorded"
DOCUMENTS = json.loads((RECORDED / "documents.json").read_text())
COMMANDS = {
    "list": ["list"],
    "list-restores": ["list", "--restores"],
    "show": ["show", "recorded"],
    "show-restore": ["show", "cut-off"],
    "verify": ["verify", "recorded", "--deep"],
    "plan": ["plan", "recorded", "--map", "recorded=recorded-copy"],
}


@pytest.fixture
def store(tmp_path):
    return Path(shutil.copytree(RECORDED / "store", tmp_path / "store"))


def same(old, new, at=""):
    """Yield where a document lacks what the recorded one has; sentences may be reworded, and keys may be added."""
    if isinstance(old, dict):
        yield from (f"{at}/{key}" for key in old.keys() - new.keys())
        for key in old.keys() & new.keys():
            yield from same(old[key], new[key], f"{at}/{key}")
    elif isinstance(old, list):
        if len(old) != len(new):
            yield f"{at}: {len(new)} items, not {len(old)}"
        for number, (one, other) in enumerate(zip(old, new, strict=False)):
            yield from same(one, other, f"{at}/{number}")
    elif old != new and not (isinstance(old, str) and isinstance(new, str) and " " in old):
        yield f"{at}: {new!r}, not {old!r}"


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_the_document_that_it_printed(kubeferry, store, name):
    code, out, err = kubeferry(*COMMANDS[name], "--store", store.as_uri(), "-o", "json")
    assert code == DOCUMENTS[name]["exit"], err
    printed = json.loads(out.replace(store.as_uri(), "STORE"))
    assert list(same(DOCUMENTS[name]["out"], printed)) == []


def test_the_backup_is_restored(bench, store):
    ns = bench.name("recorded")
    result = bench.restore("recorded", map={"recorded": ns}, store=store.as_uri())
    assert result.phase == "Completed"
    assert bench.get("ConfigMap", ns, "settings", B)["data"]["host"] == f"web.{ns}.svc.cluster.local"
    address = bench.get("Service", ns, "web", B)["spec"]["clusterIP"]
    assert bench.get("ConfigMap", ns, "address", B)["data"]["url"] == f"http://{address}:80/"


def test_the_killed_restore_is_resumed(bench, store):
    """As if its cluster were this one; what the journal names is made again, since it is not here.

    Its header says as little of its backup as those of that time: such a restore can be undone, and not resumed.
    """
    header, cluster = store / "restores/cut-off/kubeferry-restore.json", bench.clusters[B]
    content = json.loads(header.read_text())
    content["target"] |= {"context": B, "host": cluster.host, "uid": cluster_uid(cluster)}
    header.write_text(json.dumps(content))
    with pytest.raises(DamagedError, match="does not say which backup recorded it began with"):
        bench.restore("", resume="cut-off", store=store.as_uri())
    manifest = (store / "backups/recorded/kubeferry-manifest.json.gz").read_bytes()
    header.write_text(json.dumps(content | {"manifest": hashlib.sha256(manifest).hexdigest()}))
    where = {**bench.where, "store": store.as_uri()}
    result = bench.run_flow(restore(RestoreOptions(resume="cut-off", context=B, wait_seconds=60, **where)))
    assert (result.phase, result.name) == ("Completed", "cut-off")
    found = {
        kind: bench.find(kind, "recorded-copy", name, B) for kind, name in (("Secret", "login"), ("Service", "web"))
    }
    assert all(found.values())
    assert bench.find("Deployment", "recorded-copy", "web", B)
    bench.forget("Namespace", "recorded-copy")
