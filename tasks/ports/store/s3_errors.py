"""What an S3 server or the AWS library says, as one line of ours: retry later (transient) or change something first.

The codes are those of "Error responses" in the Amazon S3 API reference; other servers use the same. A message names the
store, the key and the cause, never a credential.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore import exceptions as aws

from kubeferry.tasks.core.errors import KeyMissingError, KubeferryError, StoreError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable


class TakenError(StoreError):
    """412: a conditional write found something under its key."""


class BusyKeyError(StoreUnavailableError):
    """409: another conditional write of the same key is on its way."""


class UnsupportedError(StoreError):
    """The server does not know a header that we sent (or something else of the request; it does not tell)."""


CODES: dict[str, type[KubeferryError]] = {
    "NoSuchKey": KeyMissingError,
    "404": KeyMissingError,  # an answer to HEAD has no body, hence no code
    "PreconditionFailed": TakenError,
    "412": TakenError,
    "ConditionalRequestConflict": BusyKeyError,
    "NotImplemented": UnsupportedError,
    "InvalidArgument": UnsupportedError,
    "InvalidRequest": UnsupportedError,
    "NoSuchUpload": StoreUnavailableError,  # somebody cleaned up, or the answer to "complete" was lost: upload again
    "BadDigest": StoreUnavailableError,  # it arrived damaged
    "RequestTimeout": StoreUnavailableError,
    "OperationAborted": StoreUnavailableError,
}
"""By the error's code; the rest goes by the status."""

BUSY = {429, 500, 502, 503, 504}
"""Statuses after which the same call may work; 501 and 507 (disk full) stay."""

REFUSED = {
    "AccessDenied", "AuthorizationHeaderMalformed", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
    "InvalidToken", "RequestExpired", "SignatureDoesNotMatch", "TokenRefreshRequired", "401", "403",
    "XAdminUserNotFound",  # the sandbox's server
}  # fmt: skip
"""Codes for which a person has to know where the credentials came from."""

NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.InvalidConfigError,
    aws.SSOError,
    aws.TokenRetrievalError,
    aws.MetadataRetrievalError,
)
"""The library found no credentials that it could use."""

OUT_OF_REACH = (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError, aws.ResponseStreamingError)
"""No (whole) answer: refused, timed out, cut off, a certificate that does not match."""


def translate(error: Exception, what: str, chain: Callable[[], str]) -> KubeferryError:
    """Return ours for `error`, a ClientError or BotoCoreError.

    Args:
        error: the library's.
        what: the store and the key, as the line begins.
        chain: tells where credentials were looked for; only asked if that is the matter.
    """
    cause = " ".join(str(error).split())
    if isinstance(error, aws.ClientError):
        return _answered(error.response, what, chain)
    if isinstance(error, NO_CREDENTIALS):
        return StoreError(f"{what}: no usable AWS credentials: {cause} ({chain()})")
    if isinstance(error, OUT_OF_REACH):
        return StoreUnavailableError(f"{what}: out of reach: {cause}")
    return StoreError(f"{what}: {cause}")


def _answered(response: dict[str, dict[str, object]], what: str, chain: Callable[[], str]) -> KubeferryError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    message = " ".join(str(response.get("Error", {}).get("Message", "")).split())
    kind = CODES.get(code) or (StoreUnavailableError if status in BUSY else StoreError)
    if code == "NoSuchBucket":
        return kind(f"{what}: there is no such bucket")
    source = f" ({chain()})" if code in REFUSED else ""
    return kind(f"{what}: {code}: {message}{source}" if message else f"{what}: {code}{source}")
