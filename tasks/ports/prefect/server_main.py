"""What starts the local Prefect server, `python -m …prefect.server_main server start`: a patient Prefect.

Prefect 3.8.8 begins most of its SQLite transactions as DEFERRED and then writes: when another one has written
meanwhile, SQLite fails at once (SQLITE_BUSY_SNAPSHOT, sqlite.org/rescode.html), the server answers 503, and its client
waits for 2 s and more. With a few flow runs side by side that happens all the time. Begun as IMMEDIATE, a transaction
waits for its turn, which takes milliseconds.
"""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


def patient() -> None:
    """Make every transaction of this process' server one that waits."""
    from prefect.server.database.configurations import AioSqliteConfiguration

    begin = AioSqliteConfiguration.begin_transaction

    def begin_transaction(
        self: AioSqliteConfiguration,
        session: AsyncSession,
        with_for_update: bool = False,  # noqa: ARG001, FBT001, FBT002 - Prefect's own signature
    ) -> AbstractAsyncContextManager[AsyncSessionTransaction]:
        return begin(self, session, with_for_update=True)

    AioSqliteConfiguration.begin_transaction = begin_transaction  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    patient()
    runpy.run_module("prefect", run_name="__main__")
