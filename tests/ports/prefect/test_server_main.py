"""The local Prefect server waits for SQLite's lock: two that read and then write do not fail each other."""

import asyncio

import sqlalchemy as sa
from prefect.server.database.configurations import AioSqliteConfiguration

from kubeferry.tasks.ports.prefect import server_main


def test_two_transactions_that_read_and_then_write_both_come_through(tmp_path, monkeypatch):
    monkeypatch.setattr(AioSqliteConfiguration, "begin_transaction", AioSqliteConfiguration.begin_transaction)
    server_main.patient()
    asyncio.run(_both(AioSqliteConfiguration(f"sqlite+aiosqlite:///{tmp_path}/test.db")))


async def _both(database):
    engine = await database.engine()
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE counts (n INTEGER)"))
        await connection.execute(sa.text("INSERT INTO counts VALUES (0)"))

    async def add():
        async with await database.session(engine) as session, database.begin_transaction(session):
            n = (await session.execute(sa.text("SELECT n FROM counts"))).scalar()
            await asyncio.sleep(0.05)  # both have read, if they may
            await session.execute(sa.text("UPDATE counts SET n = :n"), {"n": n + 1})

    await asyncio.gather(add(), add(), add())
    async with engine.begin() as connection:
        assert (await connection.execute(sa.text("SELECT n FROM counts"))).scalar() == 3
    await engine.dispose()
