"""Entry point of the local Prefect server (`python -m …server_main server start`): its SQLite transactions wait.

Prefect 3.8.8 begins most of its SQLite transactions as DEFERRED and then writes: if another transaction has written
meanwhile, SQLite fails at once (SQLITE_BUSY_SNAPSHOT, sqlite.org/rescode.html), the server answers 503, and its client
waits for 2 s and more. With a few concurrent flow runs that is frequent. An IMMEDIATE transaction waits for the lock,
which takes milliseconds.
"""

from __future__ import annotations

import runpy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


def patient() -> None:
    """Make the server of this process begin every transaction as IMMEDIATE."""
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
