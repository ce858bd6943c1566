"""What READMEs have of the code's own words is what the code says now."""

import pytest
from tests.docs import commands, packages

SECTIONS = {"tests.docs.commands": commands.SECTION, "tests.docs.packages": packages.SECTION}


@pytest.mark.parametrize("module", SECTIONS)
def test_a_part_that_is_made_from_the_code_is_up_to_date(module):
    assert SECTIONS[module].written() == SECTIONS[module].made(), f"run: python -m {module}"
