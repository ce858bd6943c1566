"""All errors that Kubeferry raises, by what the caller can do: retry (TransientError) or not (PermanentError).

Every error is one line that names the object and the cause. It must never contain the content of an object, which may
be a Secret.
"""


class KubeferryError(Exception):
    """Base of all errors that Kubeferry raises; `str()` is the line for the user."""

    exit_code = 1
    """The exit code of the command line."""

    result: object = None
    """What a flow had done until then, if it is known (models/results.py)."""

    backup: str = ""
    """The backup that the message already names."""


class TransientError(KubeferryError):
    """The same call may work later: the server is busy, restarting or unreachable."""


class PermanentError(KubeferryError):
    """A retry cannot help: something has to be changed first."""


class UsageError(PermanentError):
    """The input is invalid: a bad option, a bad name, a bad URL."""

    exit_code = 2


class PluginError(PermanentError):
    """A plug-in cannot be loaded, or failed; the message names it."""


class PreflightError(PermanentError):
    """The target lacks something that a restore needs; nothing was written.

    `problems` has one line for each missing thing.
    """

    def __init__(self, what: str, problems: list[str]) -> None:
        """Name `what` cannot be done, and all reasons."""
        super().__init__(f"{what}: " + "; ".join(problems))
        self.problems = problems


class NotApprovedError(PermanentError):
    """The approval of a restore was refused or timed out, or the restore is no longer what was approved.

    Nothing was written.
    """


# --- responses of an API server


class UnreachableError(TransientError):
    """No response: refused, timed out, interrupted, or a certificate that does not match."""


class UnavailableError(TransientError):
    """The server cannot serve now (429, 500, 502, 503, 504), for longer than the retries last."""


class ExpiredError(TransientError):
    """410: the revision or the continue token has expired; start the list again."""


class CredentialsError(PermanentError):
    """401, or a kubeconfig that cannot be used: expired or missing credentials, no such context."""


class UntrustedError(PermanentError):
    """The kubeconfig does not trust the server's certificate."""


class ForbiddenError(PermanentError):
    """403: the credentials are valid but may not do this."""


class NotFoundError(PermanentError):
    """404: no such object, type or namespace."""


class AlreadyExistsError(PermanentError):
    """409 AlreadyExists: an object of that name exists."""


class ConflictError(PermanentError):
    """409 Conflict: the object changed meanwhile, or has another uid than expected."""


class InvalidError(PermanentError):
    """400, 405, 415, 422: the server understood and refused the object; its message names the field."""


class DuplicateKeysError(InvalidError):
    """500 of a server-side apply: a list has two entries of one key, which a create takes and an apply does not."""


class WebhookError(PermanentError):
    """500: a webhook that the API server has to ask about the object does not answer, or not in time."""

    webhook: str = ""
    """Its name, as its configuration has it; "" of a conversion."""
    service: tuple[str, str] | None = None
    """Namespace and name of the Service by which it is called; None where it is called by a URL."""


# --- responses of a store


class DiskError(PermanentError):
    """The local disk for Kubeferry's own files is full, read-only or broken."""


class StoreError(PermanentError):
    """The store refused: not writable, no such bucket, access denied, disk full."""


class StoreUnavailableError(TransientError):
    """The store is unreachable or busy, for longer than the retries last."""


class KeyMissingError(PermanentError):
    """The store has no object with that key."""


class NameTakenError(UsageError):
    """Another run writes, or has written, a backup of that name."""


class BackupNotFoundError(PermanentError):
    """The store has no backup (or restore) of that name."""


class DamagedError(PermanentError):
    """An archive does not match its manifest, cannot be read, or has content that is not allowed."""


class SignatureError(DamagedError):
    """What a store holds is not signed by a key that the operator trusts."""
