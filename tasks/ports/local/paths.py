"""Where Kubeferry keeps its own files on this machine: cache, state and the default store.

`KUBEFERRY_HOME` moves state and store into one folder (the tests set it); the default is the user's platform folders.
"""

import os
from pathlib import Path

import platformdirs


def cache() -> Path:
    """Return the cache folder, for the sandbox's binaries; KUBEFERRY_HOME does not move it, KUBEFERRY_CACHE does."""
    return Path(os.environ.get("KUBEFERRY_CACHE") or platformdirs.user_cache_dir("kubeferry", appauthor=False))


def state() -> Path:
    """Return the state folder: sandbox clusters, the Prefect server and its database, work folders."""
    home = os.environ.get("KUBEFERRY_HOME")
    return Path(home) / "state" if home else Path(platformdirs.user_state_dir("kubeferry", appauthor=False))


def store() -> Path:
    """Return the folder of the default store."""
    home = os.environ.get("KUBEFERRY_HOME")
    return Path(home) / "store" if home else Path(platformdirs.user_data_dir("kubeferry", appauthor=False)) / "store"
