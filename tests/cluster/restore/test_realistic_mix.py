"""A realistic mix is restored under another name, byte for byte as the code of commit f738b4b restored it.

tests/data/mix/restored.jsonl is what that commit made of it, one object a line, without what no two restores share
(tests/support/mix_made.py lists it). A change of what a restore makes is recorded anew by
`KUBEFERRY_RECORD=1 .venv/bin/pytest tests/cluster/restore/test_realistic_mix.py`, and is to be read line by line.
"""

import json
import os
from pathlib import Path

import pytest
from tests.support import mix, mix_made
from tests.support.bench import A, B

pytestmark = pytest.mark.exclusive

RECORDED = Path(__file__).parents[2] / "data" / "mix" / "restored.jsonl"
APPS = 3


@pytest.fixture(scope="module")
def lines(bench):
    old, new = bench.name("mix"), bench.name("mixed")
    mix_made.make(bench.clusters[A], old, APPS)
    for context in (A, B):
        for kind, name in mix.cluster_kinds():
            bench.forget(kind, name, context)
    bench.forget("ClusterRoleBinding", f"{mix.ROLE}-{new}")
    for number in range(APPS):
        bench.ready("Deployment", old, f"app-{number:03}")
        bench.ready("StatefulSet", old, f"app-{number:03}-db")
    saved = bench.backup(old)
    result = bench.restore(saved, map={old: new})
    assert (saved.phase, result.phase) == ("Completed", "Completed")
    names = {new: "<namespace>", old: "<the old namespace>", result.name: "<restore>", saved.name: "<backup>"}
    found = mix_made.restored(bench.clusters[B], new, names)
    if os.environ.get("KUBEFERRY_RECORD"):
        RECORDED.write_text("".join(f"{each}\n" for each in found))
    return found


def test_a_restore_of_the_mix_makes_the_recorded_objects(lines):
    recorded = RECORDED.read_text().splitlines()
    gone, new = sorted({*recorded} - {*lines}), sorted({*lines} - {*recorded})
    assert (gone, new) == ([], [])
    assert lines == recorded


def test_the_mix_has_what_applications_have(lines):
    """Its kinds are written down here, so that a smaller record is seen."""
    kinds = {json.loads(each)["kind"] for each in lines}
    assert kinds >= {
        *("ClusterRole", "ConfigMap", "CronJob", "CustomResourceDefinition", "Deployment", "EndpointSlice"),
        *("HorizontalPodAutoscaler", "Ingress", "Machine", "Namespace", "NetworkPolicy", "PersistentVolumeClaim"),
        *("PodDisruptionBudget", "PriorityClass", "Role", "RoleBinding", "Secret", "Service", "ServiceAccount"),
        *("StatefulSet",),
    }
    text = "\n".join(lines)
    assert "<the old namespace>" not in text.replace("kubeferry", "")
    assert text.count("<address of Service/") > 4 * APPS
    assert text.count("<uid of Machine/") > 2 * APPS
