"""Where Kubeferry keeps its own files on this machine: caches, state and the default store.

`KUBEFERRY_HOME` moves all of them into one folder (the tests do so), else the user's usual folders are taken.
"""

import os
from pathlib import Path

import platformdirs


def cache() -> Path:
    """Return the folder of what can be made again: the sandbox's binaries. Kept when KUBEFERRY_HOME moves."""
    return Path(os.environ.get("KUBEFERRY_CACHE") or platformdirs.user_cache_dir("kubeferry", appauthor=False))


def state() -> Path:
    """Return the folder of what runs here: sandbox clusters, the Prefect server and its database."""
    home = os.environ.get("KUBEFERRY_HOME")
    return Path(home) / "state" if home else Path(platformdirs.user_state_dir("kubeferry", appauthor=False))


def store() -> Path:
    """Return the folder of the default store."""
    home = os.environ.get("KUBEFERRY_HOME")
    return Path(home) / "store" if home else Path(platformdirs.user_data_dir("kubeferry", appauthor=False)) / "store"
