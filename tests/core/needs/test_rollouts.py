"""Which revisions a workload comes back with, from what an archive holds of it."""

import pytest

from kubeferry.tasks.core.formats.links import Links, Owner, from_json, links_of, to_json
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.needs.rollouts import Rollouts, older_body

APPS = "apps/v1"


def template(image, **labels):
    return {"metadata": {"labels": {"app": "web", **labels}}, "spec": {"containers": [{"name": "a", "image": image}]}}


def made(kind, name, **rest):
    return {"apiVersion": APPS, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, **rest}


def deployment(image="new", **spec):
    return made("Deployment", "web", spec={"replicas": 2, "template": template(image), **spec})


def replica_set(name, image, replicas):
    spec = {"replicas": replicas, "template": template(image, **{"pod-template-hash": name})}
    return made("ReplicaSet", name, spec=spec)


def revision(name, number, image):
    data = {"spec": {"template": {"$patch": "replace", **template(image)}}}
    return made("ControllerRevision", name, revision=number, data=data)


def seen(*objects, progress=""):
    """Return the rollouts of an archive in which all belongs to its one workload."""
    found = Rollouts()
    (boss,) = [each for each in objects if each["kind"] in ("Deployment", "StatefulSet", "DaemonSet")]
    owner = Owner(APPS, boss["kind"], boss["metadata"]["name"], "u-1", controller=True)
    for each in objects:
        links = Links("u-1", progress=progress) if each is boss else Links("u", (owner,))
        found.look(each, Ref.of(each), links)
    return found


def names(refs):
    return sorted(each.name for each in refs)


@pytest.mark.parametrize(
    ("objects", "kept"),
    [
        ((deployment(), replica_set("b", "new", 2), replica_set("a", "old", 0)), []),
        ((deployment(), replica_set("b", "new", 1), replica_set("a", "old", 1)), ["a", "b"]),
        ((deployment(), replica_set("b", "new", 0), replica_set("a", "old", 2)), ["a"]),
        ((deployment(paused=True), replica_set("a", "old", 2)), ["a"]),
        ((deployment(paused=True), replica_set("b", "new", 2), replica_set("a", "old", 0)), ["b"]),
        ((deployment(paused=False), replica_set("b", "new", 2)), []),
    ],
)
def test_replica_sets_with_pods_are_kept_while_a_rollout_is_under_way(objects, kept):
    assert names(seen(*objects).kept()) == kept


@pytest.mark.parametrize(("replicas", "idle"), [(2, ["web"]), (0, [])])
def test_a_paused_deployment_that_wants_pods_makes_none(replicas, idle):
    assert names(seen(deployment(paused=True, replicas=replicas)).idle()) == idle


REVISIONS = (revision("r1", 1, "one"), revision("r2", 2, "two"), revision("r3", 3, "three"))


@pytest.mark.parametrize(
    ("kind", "progress", "older"),
    [
        ("StatefulSet", "", {}),
        ("StatefulSet", "r1", {"web": "r1"}),
        ("StatefulSet", "lost", {}),
        ("DaemonSet", "previous", {"web": "r2"}),
    ],
)
def test_a_workload_begins_with_the_revision_of_its_older_pods(kind, progress, older):
    found = seen(made(kind, "web"), *REVISIONS, progress=progress)
    assert {boss.name: each.name for boss, each in found.older().items()} == older
    assert names(found.kept()) == (["r1", "r2", "r3"] if older else [])
    assert names(found.behind()) == (["web"] if progress else [])


def test_it_has_the_template_of_the_revision_and_all_else_of_its_own():
    new = made("StatefulSet", "web", spec={"replicas": 3, "template": template("three")})
    begun = older_body(new, REVISIONS[0])
    assert begun["spec"] == {"replicas": 3, "template": template("one")}
    assert new["spec"]["template"] == template("three")


PARTITION, BY_HAND = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}, {"type": "OnDelete"}
BEHIND = {"updatedNumberScheduled": 1, "desiredNumberScheduled": 2}
TWO = {"currentRevision": "r1", "updateRevision": "r2"}


@pytest.mark.parametrize(
    ("kind", "spec", "status", "progress"),
    [
        ("StatefulSet", {"updateStrategy": PARTITION}, TWO, "r1"),
        ("StatefulSet", {"updateStrategy": BY_HAND}, TWO, "r1"),
        ("StatefulSet", {"updateStrategy": {"type": "RollingUpdate"}}, TWO, ""),
        ("StatefulSet", {"updateStrategy": PARTITION}, {"currentRevision": "r1", "updateRevision": "r1"}, ""),
        ("StatefulSet", {"updateStrategy": PARTITION}, {}, ""),
        ("DaemonSet", {"updateStrategy": BY_HAND}, BEHIND, "previous"),
        ("DaemonSet", {"updateStrategy": BY_HAND}, {"updatedNumberScheduled": 2, "desiredNumberScheduled": 2}, ""),
        ("DaemonSet", {}, {"updatedNumberScheduled": 1, "desiredNumberScheduled": 2}, ""),
    ],
)  # fmt: skip
def test_a_backup_keeps_what_only_the_status_says(kind, spec, status, progress):
    links = links_of(made(kind, "web", spec=spec, status=status))
    assert links.progress == progress
    assert from_json(to_json(links)) == links


@pytest.mark.parametrize(
    ("completions", "succeeded", "progress"), [(5, 3, "3 of 5"), (5, 5, ""), (5, None, ""), (None, 1, "")]
)
def test_a_job_that_has_begun_says_how_far_it_is(completions, succeeded, progress):
    job = made("Job", "load", spec={"completions": completions}, status={"succeeded": succeeded})
    assert links_of(job | {"apiVersion": "batch/v1"}).progress == progress
