"""Plant faults, one at a time, and say which survive the tests.

    python -m tests.planted                          # all, each against the tests that the table names
    python -m tests.planted no-uid-before-delete     # one of them
    python -m tests.planted --coverage .coverage     # each against every test that runs the lines which it changes

The data of coverage comes from `pytest --cov --cov-context=test`. Faults are planted in a copy of the tree. Exits 1
when one survives. `KUBEFERRY_TEST_SANDBOX` and `KUBEFERRY_TEST_PREFECT` name a sandbox and a Prefect API that run
already; otherwise each fault whose tests need them brings up its own.
"""

import argparse
import sys

from tests.planted.faults import load
from tests.planted.planting import Copy, covering


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.planted", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="faults to plant; all unless some are named")
    parser.add_argument("--coverage", help="choose the tests by this file of coverage, made with contexts")
    asked = parser.parse_args()
    faults = [fault for fault in load() if not asked.names or fault.name in asked.names]
    survivors = []
    with Copy() as copy:
        for fault in faults:
            tests = covering(asked.coverage, fault) if asked.coverage else fault.caught_by
            caught = copy.catches(fault, tests)
            print(f"{'caught  ' if caught else 'SURVIVES'} {fault.kind:12} {fault.name}: {fault.why}", flush=True)
            if caught:
                print(f"         by {caught}", flush=True)
            else:
                survivors.append(fault.name)
    print(f"{len(faults) - len(survivors)} of {len(faults)} planted faults are caught")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
