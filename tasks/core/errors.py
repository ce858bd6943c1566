"""The one error tree, split by what the caller can do: retry (Transient) or not (Permanent).

Every error is one line that names the object and the cause; what it must never hold is the content of an object, which
may be a Secret.
"""


class KubeferryError(Exception):
    """Base of everything that Kubeferry raises on purpose: `str()` is the line that a user reads."""

    exit_code = 1
    """What the command line exits with."""

    result: object = None
    """What a flow had done until then, where it can tell (results.py)."""

    backup: str = ""
    """The backup that the message names already."""


class TransientError(KubeferryError):
    """The same call may work later: the server is busy, restarting or out of reach."""


class PermanentError(KubeferryError):
    """Retrying cannot help: something has to be changed first."""


class UsageError(PermanentError):
    """What was asked does not make sense: a bad option, a bad name, a bad URL."""

    exit_code = 2


class AnnotationError(PermanentError):
    """An annotation that tells the order of objects, or a value of theirs, cannot be read."""


class PluginError(PermanentError):
    """A plug-in cannot be loaded, or failed; the message names it."""


class PreflightError(PermanentError):
    """The target lacks something that a restore needs; nothing was written.

    `problems` holds one line for each thing that is lacking.
    """

    def __init__(self, what: str, problems: list[str]) -> None:
        """Tell `what` cannot be done and all reasons."""
        super().__init__(f"{what}: " + "; ".join(problems))
        self.problems = problems


class NotApprovedError(PermanentError):
    """A restore that waits for approval was refused, not answered in time, or is not what was approved any more.

    Nothing was written.
    """


# --- an API server's answers


class UnreachableError(TransientError):
    """No answer: refused, timed out, cut off, or a certificate that does not match."""


class UnavailableError(TransientError):
    """The server answered that it cannot serve now (429, 500, 502, 503, 504), for longer than we retry."""


class ExpiredError(TransientError):
    """410: the revision or the continue token is compacted away; start that list again."""


class CredentialsError(PermanentError):
    """401, or a kubeconfig that cannot be used: expired or missing credentials, no such context."""


class UntrustedError(PermanentError):
    """The server's certificate is not one that the kubeconfig trusts."""


class ForbiddenError(PermanentError):
    """403: the credentials are known and may not do this."""


class NotFoundError(PermanentError):
    """404: no such object, type or namespace."""


class AlreadyExistsError(PermanentError):
    """409 AlreadyExists: an object of that name is there."""


class ConflictError(PermanentError):
    """409 Conflict: the object changed under us, or has another uid than we expected."""


class InvalidError(PermanentError):
    """400, 405, 415, 422: the server understood and refused the object; its message names the field."""


# --- a store's answers


class DiskError(PermanentError):
    """A disk of this machine is full, read-only or broken, where Kubeferry keeps its own files."""


class StoreError(PermanentError):
    """The store refused: not writable, no such bucket, access denied, disk full."""


class StoreUnavailableError(TransientError):
    """The store is out of reach or busy, for longer than we retry."""


class KeyMissingError(PermanentError):
    """The store holds nothing under that key."""


class BackupNotFoundError(PermanentError):
    """No backup (or restore) of that name in the store."""


class DamagedError(PermanentError):
    """An archive that does not match its manifest, cannot be read, or holds what no archive may hold."""
