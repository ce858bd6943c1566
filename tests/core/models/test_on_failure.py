"""What a restore does when it fails: three modes, and the switch that was there before them."""

import pytest
from pydantic import ValidationError

from kubeferry.tasks.core.errors import DamagedError
from kubeferry.tasks.core.models.from_store import from_store
from kubeferry.tasks.core.models.options import OnFailure, RestoreOptions
from kubeferry.tasks.core.models.options_migration import MigrateOptions


def test_a_restore_rolls_back_and_a_migration_continues():
    assert RestoreOptions(backup="b").on_failure is OnFailure.ROLLBACK
    assert MigrateOptions(namespaces=["a"], to_context="b").on_failure is OnFailure.CONTINUE


@pytest.mark.parametrize(("switch", "mode"), [(True, OnFailure.ROLLBACK), (False, OnFailure.STOP)])
def test_the_switch_of_an_earlier_version_is_read(switch, mode):
    stored = from_store({"backup": "b", "rollback": switch}, "restore r")
    assert RestoreOptions(**stored).on_failure is mode
    assert MigrateOptions(namespaces=["a"], to_context="b", rollback=switch).on_failure is mode


def test_a_mode_that_is_given_too_counts():
    assert RestoreOptions(backup="b", rollback=False, on_failure="continue").on_failure is OnFailure.CONTINUE


@pytest.mark.parametrize("switch", ["perhaps", None, {"a": 1}])
def test_anything_else_is_refused_and_not_quoted(switch):
    with pytest.raises(ValidationError) as caught:
        RestoreOptions(backup="b", rollback=switch)
    assert "perhaps" not in str(caught.value)


@pytest.mark.parametrize("mode", ["continue", "stop"])
def test_rolling_back_what_is_not_ready_goes_with_rolling_back_only(mode):
    with pytest.raises(ValidationError, match="exclude each other"):
        RestoreOptions(backup="b", on_failure=mode, rollback_on_failure=True)
    assert RestoreOptions(backup="b", rollback_on_failure=True).rollback_on_failure


def test_a_mode_that_nobody_knows_is_refused_from_a_store():
    with pytest.raises(DamagedError):
        from_store({"on_failures": "continue"}, "restore r")
