"""The shipped overlay `jobs`, really applied, under names of the module's own."""

import pytest
from tests.support.bench import A
from tests.support.shipped import Cast, cluster_wide, rendered


@pytest.fixture(scope="module")
def cast(bench, sandbox_env, kubectl, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kubernetes")
    namespace = bench.name("kubeferry")
    suffix = namespace.rpartition("-")[2]
    (folder / "configs").mkdir()

    def run(*args, **more):
        return kubectl(sandbox_env, *args, **more)

    text = rendered(run, folder, resources=["overlays/jobs"], namespace=namespace, nameSuffix=f"-{suffix}")
    for each in cluster_wide(text):
        bench.forget(each["kind"], each["metadata"]["name"], A)
    cast = Cast(namespace, suffix, run, bench.where["kubeconfig"], folder / "configs")
    cast.install(text)
    for role in ("backup", "restore"):
        # A controller puts their rules together.
        bench.until(lambda role=role: cast.allowed(f"kubeferry-{role}", "list", "storageclasses", "storage.k8s.io"))
    return cast
