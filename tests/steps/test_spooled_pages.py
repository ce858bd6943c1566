"""What of a list is spooled: pages of one list only, and what could not be read by what it was to be read for."""

from types import SimpleNamespace

import pytest

from kubeferry.tasks.backup.fetch import OWN_STORE, Read, at_revision, gathered
from kubeferry.tasks.core.errors import ExpiredError, ForbiddenError, InvalidError, UnavailableError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.kube.resources import ResourceType

SECRETS = ResourceType("", "v1", "Secret", "secrets", namespaced=True)
WIDGETS = ResourceType("example.com", "v1", "Widget", "widgets", namespaced=True)
NODES = ResourceType("", "v1", "Node", "nodes", namespaced=False)


class Lists:
    """Writes a page for each name of the next list; what is no name is raised."""

    def __init__(self, folder, *lists):
        self.folder, self.lists, self.asked = folder, list(lists), []

    def write(self, revision):
        self.asked.append(revision)
        for each in self.lists.pop(0):
            if isinstance(each, Exception):
                raise each
            path = self.folder / each
            path.write_text(revision)
            yield path

    def there(self):
        return sorted(path.name for path in self.folder.iterdir())


def scope(*own):
    return SimpleNamespace(revision="7", own_revisions=frozenset(own), followed=frozenset())


@pytest.mark.parametrize("error", [InvalidError("unknown revision"), UnavailableError("too large")])
def test_pages_of_a_list_that_was_given_up_are_not_in_a_backup(tmp_path, error):
    """The second list, of what is there now, may be shorter than the one at the revision."""
    lists = Lists(tmp_path, ["p0", "p1", error], ["p0"])
    assert at_revision(scope(), SECRETS, lists.write) == (1, str(error))
    assert (lists.there(), lists.asked, (tmp_path / "p0").read_text()) == (["p0"], ["7", ""], "")


def test_pages_of_a_list_that_expired_are_not_in_a_backup(tmp_path):
    lists = Lists(tmp_path, ["p0", "p1", ExpiredError("old")], ["p0"])
    assert at_revision(scope("example.com"), WIDGETS, lists.write) == (1, OWN_STORE)
    assert (lists.there(), lists.asked) == (["p0"], ["", ""])


def test_a_revision_that_is_gone_is_not_replaced_by_another_for_one_type(tmp_path):
    """All of a backup begins again, or it would not be one point in time."""
    lists = Lists(tmp_path, ["p0", ExpiredError("gone")])
    with pytest.raises(ExpiredError, match="gone"):
        at_revision(scope(), SECRETS, lists.write)


def test_who_may_not_read_a_type_is_not_asked_again(tmp_path):
    lists = Lists(tmp_path, [ForbiddenError("no")])
    with pytest.raises(ForbiddenError):
        at_revision(scope(), SECRETS, lists.write)
    assert lists.asked == ["7"]


def test_what_could_not_be_read_is_a_problem_where_it_was_to_be_saved_and_reported_in_any_case():
    whole = scope()
    whole.followed = frozenset([WIDGETS])
    lacking = [Problem(what=kind.group_resource, why="forbidden") for kind in (SECRETS, WIDGETS, NODES)]
    reads = [Read(kind, "shop", 0, each) for kind, each in zip((SECRETS, WIDGETS, NODES), lacking, strict=True)]
    found = gathered(whole, [SECRETS, WIDGETS], [*reads, Read(SECRETS, "bank", 3, why="not at the revision")])
    assert (found.problems, found.not_indexed) == ((lacking[0],), (("nodes", "forbidden"),))
    assert [(each.kind, each.namespace, each.why) for each in found.unread] == [("Widget", "shop", "forbidden")]
    assert (found.pages, found.not_at_revision) == (3, (("secrets", "not at the revision"),))
