"""While a namespace goes, its cause is said after a second and again when it changes; the wait goes on as before."""

from types import SimpleNamespace

from kubeferry.tasks.core.formats.target.bundle import Member
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.kube.resources import Discovery, ResourceType
from kubeferry.tasks.delete import wait_gone
from kubeferry.tasks.delete.wait_gone import DeletionWait
from kubeferry.tasks.ports.local import progress

SPACES = ResourceType("", "v1", "Namespace", "namespaces", namespaced=False)
CAUSES = ["", "", "content remains", "content remains", "finalizers remain", "finalizers remain"]


class Going:
    """A namespace whose conditions change with each look; its watch is silent."""

    def __init__(self):
        self.looks, self.asked, self.now = 0, [], 0.0

    def pages(self, *_):
        cause = CAUSES[min(self.looks, len(CAUSES) - 1)]
        self.looks += 1
        conditions = [{"type": "NamespaceContentRemaining", "status": "True", "message": cause}] if cause else []
        item = {"metadata": {"name": "shop", "uid": "u"}, "spec": {}, "status": {"conditions": conditions}}
        yield SimpleNamespace(revision="1", items=[item])

    def watch(self, *_, seconds, **__):
        self.asked.append(seconds)
        self.now += 0.4
        return iter(())


class Notes:
    def __init__(self):
        self.lines = []

    def step(self, *_):
        """Ignore it."""

    def note(self, text):
        self.lines.append(text)


def test_the_cause_is_said_soon_and_once_for_each_change(monkeypatch):
    going, notes = Going(), Notes()
    monkeypatch.setattr(wait_gone, "time", SimpleNamespace(monotonic=lambda: going.now))
    member = Member(1, Ref("", "Namespace", "", "shop"), "u")
    wait = DeletionWait(going, Discovery((SPACES,), {}, {}), lambda _: 3)
    with progress.listening(notes):
        left = wait.until_gone([member])
    assert [*left] == [member]
    assert going.now >= 3
    assert set(going.asked) == {1}
    whole = "waiting for Namespace shop to go"
    assert [each for each in notes.lines if each != whole] == [
        f"{whole}: content remains",
        f"{whole}: finalizers remain",
    ]
