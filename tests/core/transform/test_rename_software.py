"""Places of real software, as its documentation writes them: each names the new namespace, or stays as it was."""

import re
from pathlib import Path

import pytest
import yaml

from kubeferry.tasks.core.transform.rename.classes import Known
from kubeferry.tasks.core.transform.rename.rewrite import rename

CASES = yaml.safe_load((Path(__file__).parents[2] / "data" / "rename" / "software.yaml").read_text())
NAMES = {"shop": "copy", "events": "events-2", "orders": "orders-2", "properties": "props-2"}
KNOWN = Known.of(
    [
        *(("services", "shop", name) for name in ("web", "db", "kafka", "redis", "es", "mail", "rabbit")),
        *(("services", ns, "shop") for ns in ("events", "orders", "properties")),
        *(("configmaps", "shop", name) for name in ("settings", "web")),
        ("secrets", "shop", "tls"),
        ("helmreleases.helm.toolkit.fluxcd.io", "shop", "op"),
    ]
)
MARKED = re.compile("«([a-z]+)»")


def objects(case):
    """Yield the objects of a case, with the marks."""
    if "data" in case:
        yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "it", "namespace": "other"}, **part(case)}
    container = {key: case[key] for key in ("args",) if key in case}
    if "env" in case:
        container["env"] = [{"name": name, "value": value} for name, value in case["env"].items()]
    if container:
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "it", "namespace": "other"},
            "spec": {"containers": [container]},
        }
    if "object" in case:
        yield case["object"]


def part(case):
    return {"data": case["data"]}


def each_string(value, change):
    if isinstance(value, dict):
        return {key: each_string(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [each_string(item, change) for item in value]
    return change(value) if isinstance(value, str) else value


def before(marked):
    return each_string(marked, lambda text: MARKED.sub(r"\1", text))


def after(marked):
    return each_string(marked, lambda text: MARKED.sub(lambda found: NAMES[found[1]], text))


EACH = [pytest.param(obj, id=case["software"]) for case in CASES for obj in objects(case)]


def test_there_are_enough():
    assert len(CASES) >= 40


@pytest.mark.parametrize("marked", EACH)
def test_exactly_what_names_a_namespace_follows_and_all_else_stays_byte_for_byte(marked):
    assert rename(before(marked), NAMES, known=KNOWN).obj == after(marked)


def test_many_renames_find_the_same_places():
    names = NAMES | {f"n{number}": f"m{number}" for number in range(100)}
    for param in EACH:
        (marked,) = param.values
        assert rename(before(marked), names, known=KNOWN).obj == after(marked)
