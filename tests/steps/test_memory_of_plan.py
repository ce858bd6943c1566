"""What is kept of each object: a plan of many objects stays small, and grows with their number alone."""

import tracemalloc
from contextlib import contextmanager

import pytest
from tests.support.large_backup import NAMESPACE, write_backup

from kubeferry.tasks.core.models.options import RestoreOptions
from kubeferry.tasks.plan.offline import planned_restore

FEW, MANY = 200, 1200
MOST = 2600
"""Bytes of Python objects for each object of the namespace. It was 4,140 with decoded field managers and whole
Deployments in memory, and is 1,800: room for another interpreter, none for the contents of an object (3,000)."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store")
    for count in (FEW, MANY):
        write_backup(folder.as_uri(), tmp_path_factory.mktemp("work"), count, f"of-{count}")
    return folder.as_uri()


@contextmanager
def traced():
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def kept(store, count):
    """Return the bytes that a plan holds when it is made, under another name."""
    options = RestoreOptions(backup=f"of-{count}", store=store, map={NAMESPACE: "copy"})
    with traced() as held, planned_restore(options) as (_, plan):
        assert len(plan.items) == count + 1
        assert plan.rewrites
        return held()


def test_a_plan_keeps_little_of_each_object(store):
    kept(store, FEW)  # what is loaded and compiled once
    grown = (kept(store, MANY) - kept(store, FEW)) / (MANY - FEW)
    assert grown < MOST
