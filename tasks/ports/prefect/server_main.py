"""Entry point of the local Prefect server (`python -m …server_main server start`): guarded, and with patience.

It refuses what pages of other sites send (`guard`). And its SQLite transactions wait:
Prefect 3.8.8 begins most of its SQLite transactions as DEFERRED and then writes: if another transaction has written
meanwhile, SQLite fails at once (SQLITE_BUSY_SNAPSHOT, sqlite.org/rescode.html), the server answers 503, and its client
waits for 2 s and more. With a few concurrent flow runs that is frequent. An IMMEDIATE transaction waits for the lock,
which takes milliseconds.
"""

from __future__ import annotations

import os
import runpy
from typing import TYPE_CHECKING, Any

from kubeferry.tasks.ports.prefect.guard import guard

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from fastapi import FastAPI
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


def guarded(port: int) -> None:
    """Make the server of this process refuse other Host names and Origins than its own on `port`."""
    from prefect.server.api import server

    create = server.create_app

    def create_app(*args: Any, **options: Any) -> FastAPI:
        app = create(*args, **options)
        guard(app, port)
        return app

    server.create_app = create_app


if __name__ == "__main__":
    patient()
    guarded(int(os.environ["PREFECT_SERVER_API_PORT"]))
    runpy.run_module("prefect", run_name="__main__")
