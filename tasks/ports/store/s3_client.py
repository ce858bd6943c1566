"""The requests to one S3 bucket: credentials from the AWS chain, bounded retries, Kubeferry's own errors.

An error of the server or the AWS library becomes one of ours, with a message of one line: transient (retry later) or
permanent (change something first). The codes are those of "Error responses" in the Amazon S3 API reference; other
servers use the same. A message names the store, the key and the cause, never a credential.
"""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore import exceptions as aws
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader, create_loader
from botocore.parsers import ResponseParserError

from kubeferry.tasks.core.errors import KeyMissingError, KubeferryError, StoreError, StoreUnavailableError, UsageError
from kubeferry.tasks.ports.store.s3_settings import KMS, in_clear

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kubeferry.tasks.ports.store.s3_settings import Settings


class TakenError(StoreError):
    """412: the key of a conditional write exists."""


class BusyKeyError(StoreUnavailableError):
    """409: another conditional write of the same key is in progress."""


class UnsupportedError(StoreError):
    """The server does not support a header of the request (or another part of it; it does not say which)."""


CODES: dict[str, type[KubeferryError]] = {
    "NoSuchKey": KeyMissingError,
    "404": KeyMissingError,  # an answer to HEAD has no body, hence no code
    "PreconditionFailed": TakenError,
    "412": TakenError,
    "ConditionalRequestConflict": BusyKeyError,
    "NotImplemented": UnsupportedError,
    "InvalidArgument": UnsupportedError,
    "InvalidRequest": UnsupportedError,
    "NoSuchUpload": StoreUnavailableError,  # the upload was aborted, or the answer to "complete" was lost: upload again
    "BadDigest": StoreUnavailableError,  # it arrived damaged
    "RequestTimeout": StoreUnavailableError,
    "OperationAborted": StoreUnavailableError,
}
"""Error code → error; other codes are classified by the HTTP status."""

BUSY = {429, 500, 502, 503, 504}
"""Statuses after which the same call may succeed; 501 and 507 (disk full) are permanent."""

REFUSED = {
    "AccessDenied", "AuthorizationHeaderMalformed", "ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId",
    "InvalidToken", "RequestExpired", "SignatureDoesNotMatch", "TokenRefreshRequired", "401", "403",
    "XAdminUserNotFound",  # the sandbox's server
}  # fmt: skip
"""Codes whose message says where the credentials came from."""

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
"""No complete answer: refused, timed out, truncated, a certificate that does not match."""


def translate(error: Exception, what: str, chain: Callable[[], str]) -> KubeferryError:
    """Return Kubeferry's error for `error`, a ClientError or BotoCoreError.

    Args:
        error: the error of the library.
        what: the store and the key, the start of the message.
        chain: returns where credentials were looked for; called only if they are the cause.
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
    if code == "ObjectLockConfigurationNotFoundError":
        return kind(f"{what}: the bucket has no Object Lock: enable it there first, or make a bucket with it")
    if code == "NoSuchBucket":
        return kind(f"{what}: there is no such bucket")
    if code.startswith("KMS.") or (code == "AccessDenied" and "kms:" in message):
        return kind(f"{what}: {NO_KEY}: {code}: {message}")
    source = f" ({chain()})" if code in REFUSED else ""
    return kind(f"{what}: {code}: {message}{source}" if message else f"{what}: {code}{source}")


NO_KEY = (
    "the KMS key cannot be used (writing needs kms:GenerateDataKey, reading kms:Decrypt, and a key that is enabled)"
)
"""What the codes `KMS.…` mean, and an AccessDenied that names an action of KMS: "Error responses" of Amazon S3."""

Answer = dict[str, Any]

ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Environment variables that set an endpoint other than Amazon's."""

SETTINGS: Answer = {
    "connect_timeout": 5,
    "read_timeout": 60,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    "max_pool_connections": 32,
    "tcp_keepalive": True,
    # The library's own checksums are trailers on https; `Bucket._seal` adds ours as headers.
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}


ABOUT_VERSIONS = ("get_object", "head_object", "put_object")
"""Operations whose answer has the version id of the object in a versioned bucket."""

BUCKET_WIDE = ("list_", "get_bucket_", "get_object_lock_configuration")
"""The beginnings of operations that have no key."""

WHOLE = 3
"""Attempts of a request whose answer is not XML: truncated, or from a proxy in between."""

NO_SERVER = "the answer is not one of an S3 server: it is cut short, or comes from a proxy or a login page in between"


class Client:
    """A bucket at an endpoint (None: Amazon's, or that of the AWS configuration); safe for use by many threads."""

    def __init__(self, url: str, name: str, settings: Settings) -> None:
        self.url = url
        self.name = name
        self.settings = settings
        self.versioned = False
        """Whether an answer about an object had a version id."""
        self._versioning: str | None = None
        """What the bucket's configuration says: Enabled, Suspended, "" if it never had versions; None: not read."""
        self._session = botocore.session.get_session()
        self._made: Any = None
        self._lock = threading.Lock()

    def ask(self, operation: str, key: str, **arguments: Any) -> Answer:
        """Make one request.

        Args:
            operation: the method of the client.
            key: the key in error messages; also sent as `Key`, except by operations on the bucket.
            arguments: the arguments of the method.

        Raises:
            KubeferryError: by `translate`.
        """
        if not operation.startswith(BUCKET_WIDE):
            arguments["Key"] = key
        for left in reversed(range(WHOLE)):
            try:
                answer: Answer = getattr(self._client, operation)(Bucket=self.name, **arguments)
            except ResponseParserError as error:  # the library does not retry this error
                if not left:
                    raise StoreUnavailableError(f"store {self.url}: {key}: {NO_SERVER}") from error
            except (ClientError, BotoCoreError) as error:
                raise self.ours(error, key) from error
            else:
                if operation in ABOUT_VERSIONS:
                    self.versioned = self.versioned or answer.get("VersionId", "null") != "null"
                return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    def pages(self, prefix: str, **arguments: Any) -> Iterator[Answer]:
        """Yield the pages of the listing of `prefix`, 1,000 keys each."""
        token: Answer = {}
        while True:
            page = self.ask("list_objects_v2", prefix, Prefix=prefix, **arguments, **token)
            yield page
            if not page.get("IsTruncated"):
                return
            following = {"ContinuationToken": page.get("NextContinuationToken")}
            if following == token:
                raise StoreError(f"store {self.url}: {prefix}: the server's listing does not come to an end")
            token = following

    def keeps_versions(self) -> bool:
        """Return whether what is deleted stays as a version.

        By the bucket's configuration; where it is suspended, or may not be read (s3:GetBucketVersioning), by answers
        about objects, whose ids do not show what was written before there were versions.
        """
        if self._versioning is None:
            try:
                self._versioning = self.ask("get_bucket_versioning", "").get("Status", "")
            except StoreError:
                self._versioning = "Unknown"
        return self._versioning == "Enabled" or (bool(self._versioning) and self.versioned)

    def date(self) -> str:
        """Return the Date header of an answer, even of a refusal: differing clocks may be its cause."""
        try:
            answer: Answer = self._client.list_objects_v2(Bucket=self.name, MaxKeys=1)
        except ClientError as error:
            answer = error.response
        except BotoCoreError as error:
            raise self.ours(error, "") from error
        return str(answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date", ""))

    def ours(self, error: Exception, key: str) -> KubeferryError:
        """Return Kubeferry's error for the library's `error` about `key`."""
        return translate(error, f"store {self.url}: {key}".removesuffix(": "), self._chain)

    def _chain(self) -> str:
        """Return what may be the cause of a refusal: the credentials, and the KMS key, which S3 need not name."""
        key = f"; or {NO_KEY}" if self.settings.sse in KMS else ""
        return f"{self._credentials()}{key}"

    def _credentials(self) -> str:
        """Return where credentials come from, or were looked for."""
        profile = self._session.get_config_variable("profile") or "default"
        try:
            found = self._session.get_credentials()
            looked = [step.METHOD for step in self._session.get_component("credential_provider").providers]
        except BotoCoreError:  # the chain itself fails: that is the error being explained
            return f"the AWS chain, profile {profile!r}"
        if found is not None:
            return f"the credentials come from the AWS chain's {found.method!r}"
        return f"looked through the AWS chain: {', '.join(looked)}; profile {profile!r}"

    @property
    def _client(self) -> Any:
        """The client, created at the first request: it may have to fetch credentials."""
        with self._lock:
            if self._made is None:
                configured = self._session.get_scoped_config().get("endpoint_url")
                given = self.settings
                custom = given.endpoint or configured or any(name in os.environ for name in ENDPOINTS)
                # Virtual-hosted-style addressing for Amazon only: other servers seldom have DNS records for buckets.
                config = Config(**SETTINGS, s3={"addressing_style": given.style or ("path" if custom else "auto")})
                self._session.register_component("data_loader", _loader(self._session.get_config_variable("data_path")))
                session = boto3.Session(botocore_session=self._session, region_name=given.region)
                made = session.client("s3", endpoint_url=given.endpoint, config=config)
                # At each request: the endpoint may be that of the AWS configuration, or of a redirect.
                made.meta.events.register("before-send.s3", self._check_private)
                self._made = made
            return self._made

    def _check_private(self, request: Any, **_: object) -> None:
        """Refuse to send a request in clear to another machine, unless the URL of the store allows it."""
        if not self.settings.allow_http and (why := in_clear(request.url)):
            raise UsageError(f"store {self.url}: the {why}")


@lru_cache
def _loader(folders: str | None) -> Loader:
    """Return what reads the library's description of S3: once for all stores of a process, not 50 ms for each."""
    return create_loader(folders)
