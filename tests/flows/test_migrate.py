"""What the command line says of a migration, without a cluster."""

import json
from datetime import UTC, datetime

import pytest
import typer

from kubeferry.flows.console.migrate_table import finish, finish_populate
from kubeferry.flows.options.common import Format
from kubeferry.tasks.core.formats.losses import Loss, LossCode
from kubeferry.tasks.core.formats.migration import SHARED, End
from kubeferry.tasks.core.formats.records import Phase
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Place
from kubeferry.tasks.core.models.options_migration import MigrateOptions
from kubeferry.tasks.core.models.results import MigrateResult, PopulateResult

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def result(*ends, phase):
    where = {"backup": "m", "from_cluster": "a", "to_cluster": "b", "store": "file:///s"}
    return MigrateResult(
        name="m", phase=phase, started=NOW, completed=NOW, counts={"Secret": 2}, namespaces=list(ends), **where
    )


MIXED = result(
    End(namespace=SHARED, into="", phase=Phase.COMPLETED, objects=1, restore="m.cluster.wide"),
    End(namespace="shop", into="shop2", phase=Phase.COMPLETED, objects=2, restore="m.shop"),
    End(namespace="web", into="web", phase=Phase.FAILED, error="Secret web/token exists with other content"),
    phase=Phase.PARTIAL,
)


def shown(capsys, found, output):
    with pytest.raises(typer.Exit) as done:
        finish(found, MigrateOptions(resume="m"), output)
    return done.value.exit_code, capsys.readouterr().out


def test_a_table_begins_with_what_needs_a_person(capsys):
    code, out = shown(capsys, MIXED, Format.TABLE)
    head, *rows = [line for line in out.splitlines() if line]
    assert code == 3
    assert head.split() == ["NAMESPACE", "STATUS", "OBJECTS", "SECONDS", "RESTORE", "WHY"]
    assert rows[0].startswith("web")
    assert "Secret web/token exists with other content" in rows[0]
    assert "shop → shop2" in out
    assert "1 Completed, 1 Failed" in out
    assert "kubeferry migrate --resume m" in out


def test_json_is_one_document_with_a_status_for_each_namespace(capsys):
    code, out = shown(capsys, MIXED, Format.JSON)
    document = json.loads(out)
    assert code == 3
    assert document["phases"] == {"Completed": 1, "Failed": 1}
    assert [each["phase"] for each in document["namespaces"]] == ["Completed", "Completed", "Failed"]


def test_a_populate_reports_what_an_earlier_run_had_made(capsys):
    ends = [
        End(namespace="shop", into="one", phase=Phase.COMPLETED, objects=2, restore="p-one"),
        End(namespace="shop", into="two", phase=Phase.FAILED, error="no quota left"),
    ]
    more = {"backup": "b", "template": "shop", "cluster": "a", "store": "file:///s", "counts": {"Secret": 2}}
    found = PopulateResult(
        name="p", phase=Phase.PARTIAL, started=NOW, completed=NOW, namespaces=ends, earlier=["one"], **more
    )
    with pytest.raises(typer.Exit) as done:
        finish_populate(found, Place(), Format.TABLE)
    _, *rows = [line.strip() for line in capsys.readouterr().out.splitlines() if line]
    assert done.value.exit_code == 3
    assert [row.split()[0] for row in rows[:2]] == ["two", "one"]
    assert rows[0].endswith("no quota left")
    assert rows[1].endswith("made by an earlier run")
    assert rows[2:] == [
        "populate p: Partial, 1 Completed, 1 Failed in 0.0 s",
        "do what is missing: the same command again",
    ]


@pytest.mark.parametrize(("phase", "code"), [(Phase.COMPLETED, 0), (Phase.PARTIAL, 3), (Phase.FAILED, 1)])
def test_exit_codes(capsys, phase, code):
    assert shown(capsys, result(End(namespace="web", into="web", phase=phase), phase=phase), Format.JSON)[0] == code


def test_claims_that_come_back_empty_are_listed_and_the_migration_is_complete(capsys):
    claims = [Ref("", "PersistentVolumeClaim", "shop2", name) for name in ("data", "logs")]
    lost = [Loss.of(ref, LossCode.COMES_BACK_EMPTY, "8Gi") for ref in claims]
    whole = End(namespace="shop", into="shop2", phase=Phase.COMPLETED, objects=2, restore="m.shop", losses=lost)
    with pytest.raises(typer.Exit) as ended:
        finish(result(whole, phase=Phase.COMPLETED), None, Format.TABLE)
    printed = capsys.readouterr().out
    assert ended.value.exit_code == 0
    assert "Not as it was" in printed
    for ref in claims:
        assert str(ref) in printed
    assert "comes back empty (8Gi)" in printed
