"""Of all that Kubernetes warns of, the line that says what is wrong; messages are recorded from real controllers."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeferry.tasks.core.kube.readiness.events import LONGEST, TELLING, cause

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def event(reason, message="", *, kind="Pod", name="web-1", age=10, **more):
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "type": "Warning",
        "involvedObject": {"kind": kind, "name": name},
        "reason": reason,
        "message": message,
        "lastTimestamp": (NOW - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **more,
    }


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        (
            "FailedCreate",
            'Error creating: pods "web-1" is forbidden: exceeded quota: q, requested: pods=1, limited: pods=2',
            "quota exceeded: q, requested: pods=1, limited: pods=2",
        ),
        (
            "FailedCreate",
            'Error creating: admission webhook "check.example.com" denied the request: no latest tags',
            "denied by webhook check.example.com: no latest tags",
        ),
        (
            "FailedCreate",
            'Error creating: admission webhook "check.example.com" denied the request',
            "denied by webhook check.example.com",
        ),
        (
            "FailedCreate",
            'Error creating: failed calling webhook "a.example.com": Post "https://a.b.svc/": service "a" not found',
            'webhook a.example.com cannot be called: Post "https://a.b.svc/": service "a" not found',
        ),
        (
            "FailedCreate",
            'Error creating: pods "web-1" is forbidden: violates PodSecurity "baseline:latest": privileged (c)',
            "refused by pod security baseline:latest: privileged (c)",
        ),
        (
            "FailedCreate",
            'Error creating: pods "a" is forbidden: maximum cpu usage per Container is 1, but limit is 2',
            "refused by a limit range: maximum cpu usage per Container is 1, but limit is 2",
        ),
        (
            "FailedCreate",
            'pods "a-" is forbidden: error looking up service account shop/runner: serviceaccount "runner" not found',
            "service account shop/runner not found",
        ),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "key" : secret "key" not found',
            'secret "key" not found',
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient cpu. preemption: none.",
            "FailedScheduling: 0/3 nodes are available: 3 Insufficient cpu. preemption: none.",
        ),
        (
            "FailedScheduling",
            '0/3 nodes are available: persistentvolumeclaim "data" not found. not found',
            'persistentvolumeclaim "data" not found',
        ),
        (
            "ProvisioningFailed",
            'storageclass.storage.k8s.io "fast" not found',
            'storageclass.storage.k8s.io "fast" not found',
        ),
        ("Failed", 'Failed to pull image "nope:1":\n  not found', 'Failed: Failed to pull image "nope:1": not found'),
        ("BackOff", "Back-off restarting failed container", "BackOff: Back-off restarting failed container"),
        ("Odd", "", "Odd"),
    ],
)
def test_a_warning_is_shown_in_one_line(reason, message, expected):
    assert cause([event(reason, message)], NOW) == f"Pod web-1: {expected}"


@pytest.mark.parametrize(
    ("less", "more"),
    [
        (event("BackOff", "x"), event("FailedMount", "x", age=300)),
        (event("Unhealthy", "x"), event("Failed", "x", age=300)),
        (event("FailedScheduling", "0/3 nodes"), event("FailedCreate", "x", age=300)),
        (event("FailedCreate", "x"), event("FailedMount", 'secret "a" not found', age=300)),
        (event("FailedMount", "a", age=20), event("FailedMount", "b", age=10)),
        (event("SomethingElse", "x", age=5), event("Evicted", "x")),
        (event("BackOff", "x", age=5), event("SomethingElse", "x")),
    ],
)
def test_the_most_specific_counts_and_of_equals_the_latest(less, more):
    assert cause([less, more], NOW) == cause([more, less], NOW) == cause([more], NOW) != cause([less], NOW)


NEAR = [
    "FailedCreate ReplicaSetCreateError FailedCreatePodSandBox FailedPrepareDynamicResources",
    (
        "FailedAttachVolume FailedBinding FailedMapVolume FailedMount FailedScheduling FailedToRetrieveImagePullSecret"
        " InspectFailed InvalidImageName ProvisioningFailed SyncLoadBalancerFailed"
    ),
    "BackoffLimitExceeded DeadlineExceeded Evicted Failed OOMKilling PodFailurePolicy",
    "Unhealthy ProbeWarning FailedGetScale FailedGetResourceMetric SomethingElse",
    "BackOff FailedSync FailedPreStopHook FailedPostStartHook",
]
"""Reasons of Kubernetes' own events, the nearest to the cause first."""


@pytest.mark.parametrize(
    ("near", "far"),
    [(near, next(iter(NEAR[at + 1].split()))) for at, row in enumerate(NEAR[:-1]) for near in row.split()]
    + [(next(iter(NEAR[at].split())), far) for at, row in enumerate(NEAR[1:]) for far in row.split()],
)
def test_each_reason_is_as_near_to_the_cause_as_its_row(near, far):
    assert cause([event(near, "x", age=300), event(far, "y", age=1)], NOW) == f"Pod web-1: {near}: x"


def test_what_is_no_warning_or_long_ago_is_no_cause():
    assert cause([], NOW) is None
    assert cause([event("Scheduled") | {"type": "Normal"}], NOW) is None
    assert cause([event("FailedCreate", "x", age=901)], NOW) is None
    assert cause([event("FailedCreate", "x", age=899)], NOW) == "Pod web-1: FailedCreate: x"


def test_how_often_is_read_from_the_count_or_the_series():
    assert cause([event("BackOff", "x", count=12)], NOW) == "Pod web-1: BackOff: x (12 times)"
    series = {"count": 7, "lastObservedTime": "2026-01-01T11:59:00.000000Z"}
    newer = event("BackOff", "x", series=series, lastTimestamp=None, eventTime="2026-01-01T09:00:00.000000Z")
    assert cause([newer], NOW) == "Pod web-1: BackOff: x (7 times)"


def test_an_event_without_times_is_taken_as_new():
    assert cause([event("BackOff", "x", lastTimestamp=None)], NOW) == "Pod web-1: BackOff: x"


def test_a_long_message_stays_one_line():
    found = cause([event("Failed", "x\n" * 1000)], NOW)
    assert "\n" not in found
    assert len(found) == LONGEST + len("Pod web-1: ")


@pytest.mark.parametrize("field", ["reason", "message"])
def test_an_event_of_line_ends_only_is_shown_in_one_line(field):
    found = cause([{"type": "Warning", "reason": "", "message": "", field: "\n"}], NOW)
    assert found == "object ?: a warning without a message"


def test_line_ends_in_any_text_of_an_event_are_folded():
    hostile = event("Fail\ned", "x\r\ny") | {"involvedObject": {"kind": "Po\nd", "name": "web\n1"}}
    assert cause([hostile], NOW) == "Po d web 1: Fail ed: x y"


JSON = (
    st.none()
    | st.integers()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=1)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=1)
)
FIELDS = ["reason", "message", "involvedObject", "lastTimestamp", "eventTime", "series", "count", "firstTimestamp"]


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON).map(lambda each: each | {"type": "Warning"})))
def test_events_of_any_shape_are_read(events):
    found = cause(events, NOW)
    assert (found is None) == (not events)
    assert found is None or "\n" not in found


@pytest.mark.parametrize("reason", TELLING)
def test_each_row_beats_or_yields_to_an_unknown_reason(reason):
    found = cause([event(reason, "this", age=20), event("Unknown", "other", age=10)], NOW)
    assert found.endswith("other") == (TELLING[reason] <= 2)
