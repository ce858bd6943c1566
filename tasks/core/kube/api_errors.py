"""Map an error response of an API server to an exception of ours that names the object and the cause.

A validation message may quote the value of a Secret ("Invalid value: ..."). So for a Secret only the fields and reasons
of the Status' causes are shown; since a webhook can write these freely, only those that the API server itself would.
"""

from __future__ import annotations

import json
import re
from typing import Any

from kubeferry.tasks.core.errors import (
    AlreadyExistsError,
    ConflictError,
    CredentialsError,
    DuplicateKeysError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    KubeferryError,
    NotFoundError,
    PermanentError,
    UnavailableError,
    WebhookError,
)

BY_STATUS: dict[int, type[KubeferryError]] = {
    400: InvalidError,
    401: CredentialsError,
    403: ForbiddenError,
    404: NotFoundError,
    405: InvalidError,
    409: ConflictError,
    410: ExpiredError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: UnavailableError,
}
"""HTTP status → exception (kubernetes.io/docs/reference/using-api/api-concepts; apimachinery, StatusReason)."""


_REASON = re.compile(
    r"AlreadyExists|BadRequest|Conflict|Expired|Forbidden|Gone|InternalError|Invalid|MethodNotAllowed"
    r"|NotAcceptable|NotFound|RequestEntityTooLarge|ServerTimeout|ServiceUnavailable|StoreReadError|Timeout"
    r"|TooManyRequests|Unauthorized|UnsupportedMediaType"
)
_CAUSE = re.compile(
    r"FieldValue(Duplicate|Forbidden|Invalid|NotFound|NotSupported|Required|TooLong|TooMany|TypeInvalid)"
    r"|FieldManagerConflict|InternalError|ResourceVersionTooLarge|TypeInvalid|UnexpectedServerResponse"
)
"""The reasons of a Status and of its causes (apimachinery, pkg/apis/meta/v1/types.go, StatusReason and CauseType)."""
_FIELD = re.compile(r"\.?(data|immutable|kind|metadata|stringData|type)\b[\w./\[\]-]{0,200}")
"""Fields of a Secret that can be invalid."""

_IS_RIGHT = re.compile(r"^[^:]* is forbidden: User .* cannot [a-z]+ resource ")
"""An RBAC refusal: it names the user and the missing permission, and nothing of the object."""

SERVER_ERROR = 500

_WEBHOOK = re.compile(r'failed calling webhook "(?P<name>[a-z0-9.-]{1,253})"|conversion webhook for [^:]+ failed:')
"""A webhook of failure policy Fail did not answer: 500 InternalError (apiserver, pkg/admission/plugin/webhook: the
dispatchers' ErrCallingWebhook; a conversion webhook: apiextensions-apiserver, pkg/apiserver/conversion)."""
_SERVICE = re.compile(r'Post "https://(?P<name>[a-z0-9-]{1,63})\.(?P<namespace>[a-z0-9-]{1,63})\.svc(:\d+)?[/?"]')
"""The URL of a webhook that is called by a Service (apiserver, pkg/util/webhook: NewClientManager)."""
_TIMED_OUT = re.compile(r"context deadline exceeded|Client\.Timeout exceeded|i/o timeout")
"""What Go's HTTP client says of a call that took too long."""
_DUPLICATES = re.compile(r"duplicate entries for key")
"""A list with a key twice cannot be merged: 500 without a reason (structured-merge-diff, typed: validation)."""

WEBHOOK_RETRIES = 4
"""How often a request is sent again whose webhook was not reached: an address of a Service whose pods have just become
ready is served after a second or two."""
TIMEOUT_RETRIES = 1
"""The same, where the webhook took the time that its configuration gives it: 10 s, or up to 30 s."""


def retries(status: int, body: bytes) -> int | None:
    """Return how often a request may be sent again that was answered so; None: as often as any other.

    Some answers of 500 are no passing errors: they say the same at each try.
    """
    message = _of_500(status, _status_object(body) if status == SERVER_ERROR else {})
    if _WEBHOOK.search(message):
        return TIMEOUT_RETRIES if _TIMED_OUT.search(message) else WEBHOOK_RETRIES
    return 0 if _DUPLICATES.search(message) else None


def api_error(status: int, body: bytes, subject: str, *, secret: bool = False) -> KubeferryError:
    """Return the exception for a response of `status` >= 400; `subject` is the request: `create Secret shop/db`."""
    answer = _status_object(body)
    kind: type[KubeferryError] = BY_STATUS.get(status) or (UnavailableError if status >= 500 else PermanentError)  # noqa: PLR2004 - the class of server errors
    if answer.get("reason") == "AlreadyExists":
        kind = AlreadyExistsError
    if answer.get("reason") == "Expired":
        kind = ExpiredError
    message = _of_500(status, answer)
    if _DUPLICATES.search(message):
        kind = DuplicateKeysError
    if webhook := _WEBHOOK.search(message):
        called = _SERVICE.search(message)
        error = WebhookError(f"{subject}: {_cause(status, answer, secret=secret)}")
        error.webhook = webhook["name"] or ""
        error.service = (called["namespace"], called["name"]) if called else None
        return error
    return kind(f"{subject}: {_cause(status, answer, secret=secret)}")


def _status_object(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}  # a proxy's HTML page, for example: only the status code is known
    return answer if isinstance(answer, dict) else {}


def _of_500(status: int, answer: dict[str, Any]) -> str:
    """Return the message of an answer of 500, "" of any other."""
    return str(answer.get("message")) if status == SERVER_ERROR else ""


def _cause(status: int, answer: dict[str, Any], *, secret: bool) -> str:
    if status == 401:  # noqa: PLR2004 - Unauthorized
        return "the credentials were refused (401): expired or wrong, log in again"
    if secret and (webhook := _WEBHOOK.search(_of_500(status, answer))):
        return webhook[0]  # the API server's own words: a webhook that did not answer wrote nothing
    if secret and not _IS_RIGHT.search(str(answer.get("message"))):
        details = answer.get("details")
        causes = details.get("causes") if isinstance(details, dict) else None
        known = [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
        fields = [f"{cause['field']} ({cause['reason']})" for cause in known if _is_plain(cause)]
        reason = answer.get("reason") if _REASON.fullmatch(str(answer.get("reason"))) else "refused"
        return " ".join(filter(None, [f"{reason} ({status})", ", ".join(fields)]))
    message = str(answer.get("message") or answer.get("reason") or f"the server answered {status}")
    return " ".join(message.split())  # some webhooks answer in many lines


def _is_plain(cause: dict[str, Any]) -> bool:
    """Return whether a cause holds a field and a reason and nothing else."""
    return bool(_CAUSE.fullmatch(str(cause.get("reason"))) and _FIELD.fullmatch(str(cause.get("field"))))
