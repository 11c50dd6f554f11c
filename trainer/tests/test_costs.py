"""The table of costs in docs/methods.md is what its script prints."""

import runpy

from conftest import PROJECT


def test_the_table_of_costs_is_that_of_the_script():
    script = runpy.run_path(str(PROJECT / "trainer" / "tools" / "method_costs.py"))
    page = (PROJECT / "docs" / "methods.md").read_text()
    # The larger network would take a minute more to say the same.
    for row, cost in script["costs"](24).items():
        assert f"| {row} | {script['cells'](cost)} |" in page
