"""The pod that a controller would make of an object, to ask about it."""

import pytest

from kubeferry.tasks.core.needs.pod_templates import pod_of

SPEC = {"containers": [{"name": "a", "image": "a"}]}
TEMPLATE = {"metadata": {"labels": {"app": "a"}, "annotations": {"note": "x"}}, "spec": SPEC}


def made(api_version, kind, **spec):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


@pytest.mark.parametrize(
    "obj",
    [
        made("apps/v1", "Deployment", template=TEMPLATE),
        made("apps/v1", "DaemonSet", template=TEMPLATE),
        made("apps/v1", "ReplicaSet", replicas=1, template=TEMPLATE),
        made("apps/v1", "StatefulSet", template=TEMPLATE),
        made("v1", "ReplicationController", template=TEMPLATE),
        made("batch/v1", "Job", template=TEMPLATE),
        made("batch/v1", "CronJob", jobTemplate={"spec": {"template": TEMPLATE}}),
        made("argoproj.io/v1alpha1", "Rollout", template=TEMPLATE),
        made("apps.openshift.io/v1", "DeploymentConfig", template=TEMPLATE),
    ],
    ids=lambda obj: obj["kind"],
)
def test_it_has_the_template_and_the_name_and_namespace_of_its_maker(obj):
    meta = {"generateName": "web-", "namespace": "shop", "labels": {"app": "a"}, "annotations": {"note": "x"}}
    assert pod_of(obj) == {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": SPEC}


@pytest.mark.parametrize(
    "obj",
    [
        made("apps/v1", "Deployment", replicas=0, template=TEMPLATE),
        made("batch/v1", "Job", suspend=True, template=TEMPLATE),
        made("batch/v1", "CronJob", suspend=True, jobTemplate={"spec": {"template": TEMPLATE}}),
        made("v1", "Pod", **SPEC),
        made("argoproj.io/v1alpha1", "Rollout", workloadRef={"kind": "Deployment"}),
        made("example.com/v1", "Deployment", template=TEMPLATE),
        {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "a"}, "template": TEMPLATE},
    ],
)
def test_what_makes_no_pods_now_has_none(obj):
    assert pod_of(obj) is None


def test_a_stateful_set_adds_the_volumes_of_its_claims():
    given = SPEC | {"volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "emptyDir": {}}]}
    claims = [{"metadata": {"name": "data"}, "spec": {}}]
    obj = made("apps/v1", "StatefulSet", template={"spec": given}, volumeClaimTemplates=claims)
    wanted = {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}
    assert pod_of(obj)["spec"]["volumes"] == [{"name": "tmp", "emptyDir": {}}, wanted]
