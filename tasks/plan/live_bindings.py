"""Find the uses of addresses and uids in an archive of live objects, as Velero writes it: nobody noted them at backup.

The same two passes as of a backup, over the archive instead of the cluster: index what its objects were given, then
look for it in their strings. What the archive does not hold is not known: nodes, and Services of other namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import PermanentError
from kubeferry.tasks.core.formats.records import Problem
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.lookup.bindings import Binding, bindings_of
from kubeferry.tasks.core.lookup.derive import Known
from kubeferry.tasks.plan.bindings import stored_bindings
from kubeferry.tasks.plan.unpacked import archived_object

if TYPE_CHECKING:
    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.plan.choice import Choice
    from kubeferry.tasks.plan.state import Restoring


def bindings_known(restoring: Restoring, chosen: Choice) -> dict[Ref, list[Binding]]:
    """Return the bindings of a backup by object, as the source knew it: noted at backup, else found in the archive.

    Raises:
        DamagedError: a line of the noted ones is not a binding.
    """
    return live_bindings(restoring, chosen) if restoring.backup.manifest is None else stored_bindings(restoring)


def live_bindings(restoring: Restoring, chosen: Choice) -> dict[Ref, list[Binding]]:
    """Return the bindings of what is planned, by object, as the source knew it."""
    known = Known()
    for each in restoring.archived:
        known.add(archived_object(restoring, each))
    planned = {item.source for item in restoring.plan.items.values()}
    found: dict[Ref, list[Binding]] = {}
    for each in restoring.archived:
        obj = archived_object(restoring, each)
        if Ref.of(obj) in planned and (bindings := _bindings(restoring, chosen.portable(obj), known)):
            found[Ref.of(obj)] = bindings
    return found


def _bindings(restoring: Restoring, obj: Object, known: Known) -> list[Binding]:
    try:
        return bindings_of(obj, known.index, known.around)
    except PermanentError as error:  # an annotation of its user's that nobody can read: told, and not the end of it
        restoring.problems.append(Problem(what=str(Ref.of(obj)), why=str(error)))
        return []
