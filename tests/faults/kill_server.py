"""Start restores in processes of their own and kill them: a line of JSON in, a line of JSON out, for each.

A process forks from this one, in which everything is imported already, so that a kill costs no second of imports.
In: {"options": {…}, "seconds": 0.7, "log": "file"}; without seconds it may end. Out: {"killed": true, "seconds": 0.7}.
"""

import asyncio
import json
import os
import signal
import sys
import time
import traceback

from kubeferry.flows.restore import restore
from kubeferry.tasks.core.models.options import RestoreOptions


def main():
    for line in sys.stdin:
        asked = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            work(asked)
        killed = watch(child, began, asked.get("seconds"))
        sys.stdout.write(json.dumps({"killed": killed, "seconds": time.monotonic() - began}) + "\n")
        sys.stdout.flush()


def work(asked):
    """Run a restore in the child, and never return."""
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        asyncio.run(restore(RestoreOptions.model_validate(asked["options"])))
        code = 0
    except BaseException:  # noqa: BLE001 - nobody else would say what it was
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def watch(child, began, seconds):
    """Kill the child when its time is up; return whether that was before its end."""
    while seconds is None or time.monotonic() - began < seconds:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            if status:
                sys.exit(f"the restore ended by itself with status {status}")
            return False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


if __name__ == "__main__":
    main()
