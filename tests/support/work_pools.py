"""Work pools of Prefect with the deployment of the flow that migrates one namespace."""


async def register(pool):
    """Make a work pool for processes, and on it the deployment `migrate-namespace/POOL`."""
    from prefect import get_client
    from prefect.client.schemas.actions import WorkPoolCreate

    from kubeferry.flows.migrate_namespace import migrate_namespace

    async with get_client() as client:
        await client.create_work_pool(WorkPoolCreate(name=pool, type="process"))
    made = await migrate_namespace.ato_deployment(name=pool, work_pool_name=pool)
    made.entrypoint = "kubeferry.flows.migrate_namespace.migrate_namespace"
    await made.apply()
