"""Which texts can be names of Kubernetes objects: what is none must not get into a URL, a path or a command.

Sources: kubernetes.io, Object Names and IDs; apimachinery, pkg/api/validation/path (ValidatePathSegmentName).
"""

from __future__ import annotations

import re

NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A label (RFC 1123), as Kubernetes wants namespaces named."""

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_SEGMENT = re.compile(r"[^/\\%\x00-\x1f\x7f\ud800-\udfff]{1,512}")
"""No control characters and no lone surrogates, which stand for bytes that are not UTF-8."""


def is_segment(text: str) -> bool:
    """Return whether a text can be a name at all: one segment of a path, as `system:shop`."""
    return _SEGMENT.fullmatch(text) is not None and text not in {".", ".."}


def is_subdomain(text: str) -> bool:
    """Return whether a text is a DNS subdomain (RFC 1123), as most kinds want their objects named."""
    return _SUBDOMAIN.fullmatch(text) is not None and ".." not in text
