"""Lets a restore look at what a controller says only once the controller has said it, however busy it is.

What a restore reports of an object that does not get ready is the subject then, not who is faster.
"""

from tests.support.bench import B

from kubeferry.tasks.restore import wait


def causes_come_first(bench, monkeypatch):
    """Causes are looked for when the scheduler has refused every pod of the namespace."""
    because = wait._because

    def patient(target, ref):
        bench.until(lambda: _refused(bench.list("Pod", ref.namespace, B)))
        return because(target, ref)

    monkeypatch.setattr(wait, "_because", patient)


def _refused(pods):
    conditions = [[each["type"] for each in pod["status"]["conditions"] if each["status"] == "False"] for pod in pods]
    return conditions and all("PodScheduled" in each for each in conditions)


def controllers_come_first(bench, monkeypatch, kind, said):
    """A wait for objects of this kind begins when `said` is true."""
    left_of = wait.left_of

    def patient(source, target, outcome, cancellation, refs, title, **options):
        if any(ref.kind == kind for ref in refs):
            bench.until(said)
        return left_of(source, target, outcome, cancellation, refs, title, **options)

    monkeypatch.setattr(wait, "left_of", patient)
