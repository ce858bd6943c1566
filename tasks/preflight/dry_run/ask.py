"""Send the questions, all side by side, and say which objects the target would refuse.

What an answer says to be missing may come with the restore itself: then it is no refusal. A pod is asked again without
such an account or class.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    CredentialsError,
    DuplicateKeysError,
    PermanentError,
    WebhookError,
)
from kubeferry.tasks.core.formats.records import Action
from kubeferry.tasks.core.formats.target.managers import content_manager
from kubeferry.tasks.core.kube.admission_answers import (
    SUBSTITUTES,
    denied_by,
    is_no_refusal,
    is_of_pod_alone,
    limited_by,
    missing,
    quota_of,
    shown,
)
from kubeferry.tasks.core.kube.objects import Ref
from kubeferry.tasks.core.models.options import Existing
from kubeferry.tasks.core.needs.pod_templates import pod_of
from kubeferry.tasks.core.plan.existing import CHANGES, advice, decide, mode_of
from kubeferry.tasks.core.plan.faults import Fault
from kubeferry.tasks.ports.cluster.namespaces import stays
from kubeferry.tasks.ports.cluster.transport import THREADS
from kubeferry.tasks.ports.local import progress
from kubeferry.tasks.ports.local.threads import in_threads
from kubeferry.tasks.preflight.checks.conflicts import serves
from kubeferry.tasks.preflight.dry_run.judges import Judges
from kubeferry.tasks.preflight.dry_run.questions import POD, Question, questions
from kubeferry.tasks.preflight.dry_run.webhooks import after_their_webhooks
from kubeferry.tasks.step import log

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from kubeferry.tasks.core.jsondoc.edit import Object
    from kubeferry.tasks.core.kube.admission_answers import Missing
    from kubeferry.tasks.core.kube.resources import ResourceType
    from kubeferry.tasks.plan.state import Plan, Source
    from kubeferry.tasks.preflight.target import Target

MANY = 5
"""From so many objects on that are refused for one reason, the reason is reported once."""


def askable(plan: Plan, target: Target, *, there: bool) -> list[Ref]:
    """Return what can be asked about now: the objects of namespaces that are there and those of none, or the others.

    Namespaces are as the last look before the first write found them.
    """
    return sorted(ref for ref in plan.items if there is (not ref.namespace or stays(target.namespace(ref.namespace))))


def dry_run_faults(
    source: Source, plan: Plan, target: Target, refs: Iterable[Ref], known: Container[Ref] = ()
) -> list[Fault]:
    """Return what the target would refuse of some planned objects; those `known` to be stopped are not asked about.

    What a webhook judges that comes with the restore is moved behind it, in the plan.

    Raises:
        TransientError: the target does not answer now.
        CredentialsError: it does not know these credentials any more.
    """
    asking = _Asking(source, plan, target)
    return asking.run([ref for ref in refs if ref not in known and asking.type_of(ref)])


@dataclass
class _Refusal:
    """Why the target refuses some objects."""

    refs: list[Ref]
    error: PermanentError
    of_pod: bool = False


@dataclass
class _Asking:
    source: Source
    plan: Plan
    target: Target
    down: dict[str, WebhookError] = field(default_factory=dict)
    """Webhooks that do not answer."""
    waiting: dict[Ref, tuple[Ref, PermanentError]] = field(default_factory=dict)
    """Objects that need another one of the plan to be there, with the answer that says so."""

    def __post_init__(self) -> None:
        self.judges = Judges(self.plan, self.target)
        self._named: dict[str, list[Ref]] = defaultdict(list)
        for ref in self.plan.items:
            self._named[ref.name].append(ref)
        self._untried: set[str] = set()

    def type_of(self, ref: Ref) -> ResourceType | None:
        """Return the type of an object, None where the target does not serve it (yet)."""
        version = self.plan.items[ref].api_version.rpartition("/")[2]
        found = self.target.discovery.by_kind(ref.group, ref.kind)
        kind = self.target.discovery.in_version(found, version) if found else None
        return kind if kind and serves(self.target, ref.group, kind) else None

    def run(self, refs: list[Ref]) -> list[Fault]:
        """Ask about these objects; return why some cannot be restored."""
        asked = questions(self.plan, refs, self.judges.judge)
        refusals = self._send(asked.asked)
        refused = {ref for each in refusals for ref in each.refs}
        more = [
            Question([ref])
            for (group, kind, space), rest in asked.rest.items()
            if any((each.group, each.kind, each.namespace) == (group, kind, space) for each in refused)
            for ref in rest
        ]
        refusals += self._send(more)
        refused |= {ref for each in refusals for ref in each.refs}
        waiting = ((ref, error) for ref, (needed, error) in self.waiting.items() if needed in refused)
        refusals += [_Refusal([ref], error) for ref, error in waiting]
        return sorted(self._faults(refusals))

    def _send(self, asked: list[Question]) -> list[_Refusal]:
        title, found = f"dry run {self.source.name}", list[_Refusal]()
        for done, refusals in enumerate(in_threads(self._ask, asked, THREADS), start=1):
            found += refusals
            if done % 100 == 0 or done == len(asked):
                progress.step(title, done, len(asked))
        return found

    def _ask(self, question: Question) -> list[_Refusal]:
        """Ask one question, in place of an object that is there already about the next one that is like it."""
        found: list[_Refusal] = []
        for number, ref in enumerate(question.refs, start=1):
            error = self._pod(ref) if question.of_pod else self._object(ref)
            taken = isinstance(error, AlreadyExistsError)
            live = self._live(ref) if error and (not taken or self._updates(ref)) else None
            if error is None or (taken and live is None):  # in a new namespace, a controller has made it meanwhile
                return found
            if live:
                error = self._if_there(ref, live, error, of_pod=question.of_pod)
                found += [_Refusal([ref], error, question.of_pod)] if error else []
            else:
                alike = [each for each in question.refs[number:] if not self._live(each)]
                return [*found, _Refusal([ref, *alike], error, question.of_pod)]
        return found

    # --- objects

    def _object(self, ref: Ref) -> PermanentError | None:
        error = self._create(self._type(ref), ref, self._body(ref))
        if error is None or isinstance(error, WebhookError):
            return error
        named = missing(_text(error))
        if named and self.source.company:
            return None  # another restore of the migration may bring it
        needed = self._comes(ref, named) if named else None
        if needed:
            self.waiting[ref] = needed, error
        return None if needed else error

    def _create(self, kind: ResourceType, ref: Ref, obj: Object) -> PermanentError | None:
        """Return why an object cannot be created, None if it can."""
        for judge in self.judges.of(kind, ref.namespace) if self.down else ():
            if judge.all_of_them and judge.name in self.down:
                return self.down[judge.name]
        manager = content_manager(self.plan.items[ref].links.managers)
        try:
            self.target.cluster().create(kind, ref.namespace, obj, manager=manager, dry_run=True)
        except CredentialsError:
            raise
        except WebhookError as error:
            self.down[error.webhook] = error
            return error
        except PermanentError as error:
            return None if is_no_refusal(str(error)) or self._changes(ref.namespace, limited_by(str(error))) else error
        return None

    def _changes(self, namespace: str, quota: str) -> bool:
        """Return whether the restore itself changes a quota of the target."""
        ref = Ref("", "ResourceQuota", namespace, quota)
        return ref in self.plan.items and mode_of(self._type(ref), self.source.options) in CHANGES

    # --- objects that are there

    def _updates(self, ref: Ref) -> bool:
        """Return whether an object that is there with other content is updated.

        One that gets a value of the target later is not asked about: that may be the one that it has.
        """
        mode = mode_of(self._type(ref), self.source.options)
        return mode is Existing.UPDATE and not self.plan.shared(ref) and not self.plan.items[ref].bindings

    def _live(self, ref: Ref) -> Object | None:
        if ref.namespace and not stays(self.target.namespace(ref.namespace)):
            return None
        return self.target.cluster().find(self._type(ref), ref.namespace, ref.name)

    def _if_there(self, ref: Ref, live: Object, error: PermanentError, *, of_pod: bool) -> PermanentError | None:
        """Return why what is to be done with a live object is refused, given why it could not be created.

        What a quota counts of the live one becomes free.
        """
        kind, obj, bare = self._type(ref), self._body(ref), self.source.rules.without_dynamic(live)
        mode, adopter = mode_of(kind, self.source.options), self.plan.adopters.get(ref)
        action = decide(obj, bare, mode, adopter, shared=self.plan.shared(ref)).action
        if action is Action.UPDATED and not of_pod:
            return self._update(ref, kind, obj) if self._updates(ref) else None
        free = isinstance(error, AlreadyExistsError) or bool(quota_of(str(error)))
        return error if action in {Action.UPDATED, Action.RECREATED} and not free else None

    def _update(self, ref: Ref, kind: ResourceType, obj: Object) -> PermanentError | None:
        """Return why an object cannot be updated, None if it can."""
        try:
            self.target.cluster().apply(kind, ref.namespace, obj, dry_run=True)
        except CredentialsError:
            raise
        except DuplicateKeysError:
            return None  # it is replaced as a whole
        except WebhookError as error:
            return error
        except PermanentError as error:
            return None if is_no_refusal(str(error)) else PermanentError(f"{error}; {advice(kind)}")
        return None

    # --- pods of templates

    def _pod(self, ref: Ref) -> PermanentError | None:
        """Return why the pods of an object's template would be refused, None if they would not be."""
        pods = self.target.discovery.by_kind(*POD)
        pod = pod_of(self._body(ref))
        if pods is None or pod is None or not self._may_try(pods, ref.namespace):
            return None
        without: list[str] = []
        for _ in range(len(SUBSTITUTES) + 1):
            error = self._create(pods, ref, pod)
            text = _text(error) if error else ""
            named = missing(text)
            if error is None or is_of_pod_alone(text):
                return None
            if named is None or named.kind not in SUBSTITUTES or named.kind in without:
                return None if without and self._may_be_of(text, without) else error
            # Of whoever is to make the pods: where it does not come at all, the plan, or another check, has said so.
            without.append(named.kind)
            spec = {key: value for key, value in pod["spec"].items() if key not in SUBSTITUTES[named.kind]}
            pod |= {"spec": spec}
        return None

    def _may_try(self, pods: ResourceType, namespace: str) -> bool:
        may = self.target.cached.allowed("create", pods, namespace)
        if not may and namespace not in self._untried:
            self._untried.add(namespace)
            log(f"not asked whether {namespace} takes the pods of templates: not allowed to create pods there")
        return may

    def _may_be_of(self, text: str, without: list[str]) -> bool:
        """Return whether a pod may be denied only because it was asked about without its account or classes."""
        webhook, policy = denied_by(text)
        judge = self.judges.policy(policy) if policy else None
        fields = [each for kind in without for each in SUBSTITUTES[kind]]
        return bool(webhook) or bool(policy and (judge is None or any(each in judge.text for each in fields)))

    # --- what comes with the restore

    def _comes(self, ref: Ref, named: Missing) -> Ref | None:
        """Return the planned object that an answer says to be missing."""
        for each in self._named.get(named.name, ()):
            kind = self.target.discovery.by_kind(each.group, each.kind)
            if each.namespace in {"", ref.namespace} and named.is_a(each.kind, kind.resource if kind else ""):
                return each
        return None

    def _type(self, ref: Ref) -> ResourceType:
        return self.target.type_of_item(self.plan.items[ref])

    def _body(self, ref: Ref) -> Object:
        found: Object = self.plan.contents.read(self.plan.items[ref].slot)
        return found

    # --- what to report

    def _faults(self, refusals: list[_Refusal]) -> Iterator[Fault]:
        called = {ref: each.error for each in refusals for ref in each.refs if isinstance(each.error, WebhookError)}
        unserved = after_their_webhooks(self.source, self.plan, called)
        by_text: dict[tuple[str, str], list[Ref]] = defaultdict(list)
        for each in refusals:
            pods = "its pods would be refused: " if each.of_pod else ""
            for ref in each.refs:
                if not isinstance(each.error, WebhookError):
                    by_text[ref.kind, pods + shown(_text(each.error))].append(ref)
                elif ref in unserved:
                    by_text[ref.kind, pods + shown(_text(each.error)) + unserved[ref]].append(ref)
        for (kind, text), refs in by_text.items():
            if len(refs) < MANY:
                yield from (Fault(f"{ref}: {text}", (ref,)) for ref in refs)
            else:
                first = min(refs)
                yield Fault.of(f"{first} and {len(refs) - 1} more of kind {kind}: {text}", refs)


def _text(error: PermanentError) -> str:
    """Return what the server said, without the request."""
    return str(error).partition(": ")[2]
