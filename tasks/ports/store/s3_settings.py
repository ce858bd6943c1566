"""The parameters of an s3:// URL: endpoint and addressing, encryption, and what Object Lock and versions mean for us.

All are checked when the URL is read, before any request. A message names the parameter and never repeats its value,
since any part of a URL may be a secret that was put there by mistake.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl, quote, urlsplit

from kubeferry.tasks.core.errors import UsageError

KMS = ("aws:kms", "aws:kms:dsse")

CHOICES = {
    "sse": ("AES256", *KMS),  # the values of x-amz-server-side-encryption ("PutObject" in the S3 API reference)
    "style": ("path", "virtual"),
    "allow_http": ("yes",),
    "lock": ("governance", "compliance"),
    "versions": ("delete",),
}
"""Parameter → the values that it may have."""

FREE = ("endpoint", "region", "kms_key")
"""Parameters whose value is the user's own."""

_REGION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9:/_-]{1,512}")
"""The id of a KMS key, its ARN, or an alias ("KeyId" in the KMS API reference)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The parameters of an s3:// URL; the default of each means what the server and the AWS configuration say."""

    endpoint: str | None = None
    region: str | None = None
    sse: str = ""
    """How the server encrypts what is written: one of CHOICES; "" leaves it to the bucket."""
    kms_key: str = ""
    """The KMS key that it encrypts with; "": the bucket's, or Amazon's own."""
    style: str = ""
    """Addressing: `path` or `virtual`; "": virtual for Amazon, path for an endpoint that was given."""
    allow_http: bool = False
    """Requests may go over plain http to another machine."""
    lock: str = "governance"
    """The mode of Object Lock, for what is written with one: who has the right may shorten `governance`, nobody
    `compliance`."""
    expunge: bool = False
    """In a versioned bucket, what is deleted is deleted with all its versions."""

    @property
    def encryption(self) -> dict[str, str]:
        """Return the arguments of each request that creates an object."""
        key = {"SSEKMSKeyId": self.kms_key} if self.kms_key else {}
        return {"ServerSideEncryption": self.sse, **key} if self.sse else {}


def parse(query: str) -> tuple[Settings, str]:
    """Return the parameters of a URL, and its query as it is shown.

    Raises:
        UsageError: a parameter is unknown, given twice, or has no valid value; the message repeats no value.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    known = (*FREE, *CHOICES)
    for name, value in pairs:
        if name not in known:
            raise UsageError(f"the s3:// store's URL has the parameter {name!r}: only {', '.join(known)} are known")
        _check(name, value)
    if len(given) < len(pairs):
        twice = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise UsageError(f"the s3:// store's URL has the parameter {twice!r} more than once")
    settings = Settings(
        endpoint=given.get("endpoint"),
        region=given.get("region"),
        sse=given.get("sse", ""),
        kms_key=given.get("kms_key", ""),
        style=given.get("style", ""),
        allow_http="allow_http" in given,
        lock=given.get("lock", "governance"),
        expunge="versions" in given,
    )
    if settings.kms_key and settings.sse not in KMS:
        raise UsageError(f"the s3:// store's kms_key goes with sse={' or sse='.join(KMS)}")
    if settings.endpoint and not settings.allow_http and (why := in_clear(settings.endpoint)):
        raise UsageError(f"the s3:// store's {why}")
    return settings, "&".join(f"{name}={quote(value, safe=':/')}" for name, value in sorted(given.items()))


def _check(name: str, value: str) -> None:
    if name in CHOICES and value not in CHOICES[name]:
        raise UsageError(f"the s3:// store's parameter {name} is one of: {', '.join(CHOICES[name])}")
    if name == "endpoint" and not _is_http(value):
        raise UsageError("the s3:// store's endpoint is no http:// or https:// URL")
    if name == "region" and not _REGION.fullmatch(value):
        raise UsageError("the s3:// store's region is none, such as eu-central-1")
    if name == "kms_key" and not _KEY.fullmatch(value):
        raise UsageError("the s3:// store's kms_key is no id, ARN or alias of a KMS key")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def in_clear(url: str) -> str:
    """Return why no request may go to `url` unless that is allowed, "" if it may.

    Over plain http to another machine, whoever is in between reads and changes the backups, Secrets among them. Of
    names only `localhost` counts as this machine, since a name server decides about all others.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost" or _is_loopback(host):
        return ""
    place = f"[{host}]" if ":" in host else host
    return (
        f"endpoint http://{place} is plain http to another machine, where others can read and change backups: "
        "use https, or allow it with the parameter allow_http=yes"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
