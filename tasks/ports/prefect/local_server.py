"""What is written down of the local Prefect server: its process and port, and the password that it asks for.

Whoever may use the server may run any program as this user: it hands deployments to the worker. So it asks for a
password, which is made at its first start, in a file that only this user may read. It is sent to this server and no
other: the process that was started has to be alive, and the port has to be this user's.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.ports.local import files, paths, processes

HOST = "127.0.0.1"
"""The server's address. No name: another user may listen on ::1, which `localhost` means, too."""

NAMES = (HOST, "localhost")
"""What a browser may call the server; SSH tunnels often use the second."""

USER = "kubeferry"
"""The part before the colon of Prefect's `user:password`; any will do."""

SOCKETS = Path("/proc/net/tcp")
"""The TCP sockets of a Linux machine, each with its user (proc_net_tcp in the kernel's documentation)."""
LISTENING = "0A"


@dataclass(frozen=True)
class Record:
    """The server that was started last."""

    process: processes.Process
    port: int
    guarded: bool
    """It asks for the password; one that an older version started does not."""


def home() -> Path:
    """Return the folder of the local Prefect: its PREFECT_HOME, the database, the log, the password."""
    return paths.state() / "prefect"


def local(port: int) -> str:
    """Return the API URL of the local server."""
    return f"http://{HOST}:{port}/api"


def load() -> Record | None:
    """Return the record; None before the first start.

    Raises:
        PermanentError: the file is damaged.
    """
    path = home() / "server.json"
    try:
        kept = json.loads(path.read_bytes())
        process = processes.Process(int(kept["pid"]), str(kept["started"]))
        return Record(process, int(kept["port"]), bool(kept.get("guarded")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise PermanentError(f"{path} cannot be understood: delete it, runs are in the database") from error


def save(record: Record) -> None:
    """Write the record down."""
    with files.written(home() / "server.json") as file:
        kept = asdict(record.process) | {"port": record.port, "guarded": record.guarded}
        file.write(json.dumps(kept).encode())


def new_password() -> str:
    """Make a new password, in the place of an old one, and return it.

    Raises:
        PermanentError: others may change the folder, and so what the server runs.
    """
    made = f"{USER}:{secrets.token_hex(32)}"
    files.make_folder(home())
    _check_folder()
    with files.written(_path()) as file:
        file.write(made.encode())
    return made


def password() -> str | None:
    """Return the password; None before the first start.

    Raises:
        PermanentError: others may have read the file or made it, or it is damaged.
    """
    path = _path()
    try:
        # A link may lead to a file of somebody else, and a pipe never ends.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _refused(f"it cannot be read ({error.strerror})") from error
    with os.fdopen(handle, "rb") as file:
        _check(os.fstat(handle), "it")
        _check_folder()
        text = file.read(1024).decode("ascii", "replace").strip()
    if not text.startswith(f"{USER}:") or len(text) <= len(USER) + 32:
        raise _refused("it is damaged")
    return text


def password_for(url: str) -> str | None:
    """Return the password if `url` is the running local server's, else None. Raises as `password`."""
    try:
        parts = urlsplit(url)
        named = (parts.scheme, parts.hostname, parts.port)
    except ValueError:  # no URL: it is reported where it is used
        return None
    if named[:2] != ("http", HOST):
        return None
    kept = load()
    if kept is None or not kept.guarded or kept.port != named[2]:
        return None
    return password() if processes.alive(kept.process) and ours(kept.port) else None


def ours(port: int) -> bool:
    """Return whether this user listens on 127.0.0.1:`port`; True on a machine that does not say (not Linux)."""
    users, addresses = set[int](), _addresses(port)
    try:
        with SOCKETS.open() as lines:
            next(lines, "")
            # `sl local_address rem_address st tx:rx tr:when retrnsmt uid …`; the address is in the machine's order.
            for row in map(str.split, lines):
                if row[3] == LISTENING and row[1] in addresses:
                    users.add(int(row[7]))
                elif row[3] != LISTENING and users:
                    break  # the kernel lists what listens first, and making the rest takes it milliseconds
    except OSError:
        return True
    return users == {os.geteuid()}


def _addresses(port: int) -> set[str]:
    return {f"{address}:{port:04X}" for address in ("0100007F", "7F000001")}


def _path() -> Path:
    return home() / "password"


def _check(found: os.stat_result, what: str, *, others: int = 0o077) -> None:
    """Refuse what belongs to another user, or what the bits `others` open to other users."""
    if found.st_uid != os.geteuid():
        raise _refused(f"{what} belongs to another user")
    if found.st_mode & others:
        raise _refused(f"{what} is open to other users (mode {stat.S_IMODE(found.st_mode):04o})")


def _check_folder() -> None:
    _check(home().stat(), "its folder", others=stat.S_IWGRP | stat.S_IWOTH)


def _refused(why: str) -> PermanentError:
    return PermanentError(
        f"{_path()}, the password of the local Prefect server, is not used: {why}; delete it and run "
        "kubeferry server stop, then the next command makes a new one"
    )
