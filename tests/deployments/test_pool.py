"""The work pool `kubeferry-kubernetes`: Prefect takes its template, and each run gets the account it needs."""

import pytest
from tests.support.jobs import DECLARED, rendered_job

WRITES = {"restore", "migrate", "migrate-namespace", "populate"}


@pytest.mark.parametrize("named", DECLARED)
def test_a_run_of_each_deployment_is_a_job_with_the_account_that_it_needs(named):
    job = rendered_job(named)
    pod = job["spec"]["template"]["spec"]
    writes = named.partition("/")[0] in WRITES
    assert pod["serviceAccountName"] == ("kubeferry-restore" if writes else "kubeferry-backup")
    (container,) = pod["containers"]
    assert container["args"] == ["prefect", "flow-run", "execute"]
    assert container["image"].partition(":")[0].endswith("/kubeferry")
    assert job["metadata"]["labels"]["prefect.io/flow-name"] == named.partition("/")[0]
    assert job["metadata"]["namespace"] == "kubeferry"
