"""What a command imports, seen in an interpreter of its own: the tests that keep start-up short."""

import subprocess
import sys

PREFECT = {"prefect": "0.7 s: only what runs a flow"}
"""Module → why few commands may import it: the CPU that it takes on 2 quiet cores."""

NEVER = {
    "fastapi": "0.14 s: Prefect's server, and its encoder of parameters",
    "kubernetes": "0.1 s: the official client, of which ports/cluster needs nothing",
    "prefect.server": "a second: the server is another process",
    "sqlalchemy": "0.2 s: as above",
    "docket": "0.1 s: as above",
    "uvicorn": "as above",
    "prefect.workers": "0.1 s: a worker is another process",
    "prefect.deployments": "0.1 s: of `kubeferry deploy`, which registers them",
    "boto3": "0.2 s: a store in S3; a folder needs none of it",
    "botocore": "as above",
}
"""The same, for what neither a flow nor another command imports, with a store that is a folder."""

SHOWN = {"rich.progress": "0.01 s: a bar of progress, for what takes long", "rich.markdown": "0.02 s: Typer's panels"}
"""The same, for commands that print no help and run no flow."""

CODE = """
import sys
from kubeferry.flows.cli import main
try:
    main(sys.argv[2:])
except SystemExit as ended:
    assert ended.code in (None, 0, 3), ended.code  # 3: partial, as doctor may report
finally:
    sys.stderr.write(f"\\nIMPORTED {sorted(set(sys.argv[1].split()) & set(sys.modules))}")
"""


def imported(heavy, arguments, env):
    """Run a command, which has to succeed; return which of the modules `heavy` it imported, and what it printed."""
    argv = [sys.executable, "-c", CODE, " ".join(heavy), *arguments]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("IMPORTED ")[2], done.stdout
