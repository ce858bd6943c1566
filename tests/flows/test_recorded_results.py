"""What `-o json` of a flow's command has held before the modules moved, it still holds: fields, types and choices.

tests/data/recorded/results.json was written from the models of commit 3923567.
"""

import json
from pathlib import Path

import pytest

from kubeferry.tasks.core.compare.report import DiffReport
from kubeferry.tasks.core.models import results

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "recorded" / "results.json").read_text())
MODELS = {
    "backup": results.BackupResult,
    "restore": results.RestoreResult,
    "undo": results.UndoResult,
    "delete": results.DeleteResult,
    "migrate": results.MigrateResult,
    "populate": results.PopulateResult,
    "prune": results.PruneResult,
    "verify": results.Verified,
    "diff": DiffReport,
}


def shape(schema, definitions):
    """Return a JSON schema as fields and types, without names of models, titles and descriptions."""
    schema = definitions[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema
    if "properties" in schema:
        return {key: shape(each, definitions) for key, each in schema["properties"].items()}
    if "anyOf" in schema:
        return {"any of": [shape(each, definitions) for each in schema["anyOf"]]}
    if schema.get("type") == "array":
        return [shape(schema.get("items", {}), definitions)]
    if isinstance(schema.get("additionalProperties"), dict):
        return {"*": shape(schema["additionalProperties"], definitions)}
    if "enum" in schema or "const" in schema:
        return sorted(schema.get("enum") or [schema["const"]])
    return schema.get("format") or schema.get("type", "any")


def lost(old, new, at=""):
    """Yield what was there and is not, or is of another type; more fields and more choices are no loss."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key, each in old.items():
            if key in new:
                yield from lost(each, new[key], f"{at}/{key}")
            else:
                yield f"{at}/{key} is gone"
    elif isinstance(old, list) and isinstance(new, list):
        if all(isinstance(each, str) for each in old + new):
            yield from (f"{at}: {each} is gone" for each in set(old) - set(new))
        else:
            for one, other in zip(old, new, strict=True):
                yield from lost(one, other, at)
    elif old != new and not (old == "string" and isinstance(new, list)):  # a text whose words are listed now
        yield f"{at}: {new}, not {old}"


@pytest.mark.parametrize("name", RECORDED)
def test_a_document_has_all_that_it_had(name):
    schema = MODELS[name].model_json_schema(mode="serialization")
    assert list(lost(RECORDED[name], shape(schema, schema.get("$defs", {})))) == []


def test_every_recorded_document_is_compared():
    assert MODELS.keys() == RECORDED.keys()
