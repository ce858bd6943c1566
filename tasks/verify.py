"""Prove a stored backup: read every file back from the store and compare it with the manifest."""

from __future__ import annotations

from tasks.ports.proof import Proof, prove
from tasks.step import in_thread, step


@step("verify {name}")
async def verify(store: str, name: str, *, deep: bool = False) -> Proof:
    """Read back every file of a backup; with `deep` also every object in its archive.

    Raises:
        DamagedError: a file or object is missing, is not what the manifest says, or is not in it.
    """
    return await in_thread(prove, store, name, deep=deep)
