"""The shipped overlay `jobs`, really applied under its own names, and its worker's account."""

import pytest
import yaml
from tests.support.bench import A
from tests.support.jobs import jobs, rendered_job, var
from tests.support.shipped import Cast, cluster_wide, rendered


@pytest.fixture(scope="module")
def cast(bench, sandbox_env, kubectl, tmp_path_factory):
    """The overlay `jobs` under its own names, in a namespace of this module's own."""
    folder = tmp_path_factory.mktemp("kubernetes")
    (folder / "configs").mkdir()

    def run(*args, **more):
        return kubectl(sandbox_env, *args, **more)

    text = rendered(run, folder, resources=["overlays/jobs"], namespace=bench.name("kubeferry"))
    (namespace,) = {each["metadata"]["name"] for each in yaml.safe_load_all(text) if each["kind"] == "Namespace"}
    for each in cluster_wide(text):
        bench.forget(each["kind"], each["metadata"]["name"], A)
    cast = Cast(namespace, "", run, bench.where["kubeconfig"], folder / "configs")
    cast.kubectl("apply", "--server-side", "--warnings-as-errors", "-f", "-", text=text)
    return cast


@pytest.fixture(scope="module")
def worker(bench, cast):
    """Send a request as the worker's account, once the policies are in force."""
    with cast.requests(cast.token("kubeferry-worker")) as send:
        image, variable = (rendered_job("backup/nightly", cast.namespace) for _ in range(2))
        image["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/other"
        variable["spec"]["template"]["spec"]["containers"][0]["env"].append(var("X", "1"))
        bench.until(lambda: "kubeferry.io/job-image" in send("POST", jobs(cast), image).message)
        bench.until(lambda: "of the namespace: X" in send("POST", jobs(cast), variable).message)
        yield send
