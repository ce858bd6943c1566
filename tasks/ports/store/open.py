"""Open a store by its URL: a local folder, or a bucket of an S3 server.

A URL never contains credentials: those of S3 come from the standard AWS credential chain.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kubeferry.tasks.core.errors import UsageError
from kubeferry.tasks.core.formats.layout import check_folder
from kubeferry.tasks.core.ops import allowed
from kubeferry.tasks.ports.local import paths, workdir
from kubeferry.tasks.ports.store.signed import signed

if TYPE_CHECKING:
    from kubeferry.tasks.ports.store.base import Store

BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
"""A loose form of S3's naming rules: other servers allow more. It excludes `:` and `@`, and so credentials."""


def open_store(url: str | None = None) -> Store:
    """Open the store at `url`; None is the user's default store (`kubeferry.tasks.ports.local.paths.store()`).

    Where keys are given (ports/local/keys.py), it signs what is written and takes only what is signed. Neither they nor
    the allowed stores concern a store in this process's own work folder, such as that of `export --from-cluster`.

    Nothing is read or written yet: use `check_writable` for that.

    Args:
        url: `file:///path` or `s3://bucket/prefix?endpoint=…&region=…`; all parameters: `s3_settings.Settings`.

    Raises:
        UsageError: the URL names no store, or contains credentials (which the message does not repeat); or a given
            key cannot be used; or the store is none that this process may use (`kubeferry.tasks.core.ops.allowed`).
    """
    store = _opened(url)
    if _is_temporary(url):
        return store
    if (text := os.environ.get(allowed.STORES)) is not None:
        places = [_place(each, _opened(each)) for each in allowed.listed(text)]
        allowed.check_store(store.url, _place(url, store), places)
    return signed(store)


def _is_temporary(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return parts.scheme == "file" and workdir.is_own(Path(unquote(parts.path)))


def _place(url: str | None, store: Store) -> allowed.StorePlace:
    """Return where a store is: of a bucket as its URL says, which was checked, of a folder as the disk says."""
    parts = urlsplit(url if url and urlsplit(url).scheme == "s3" else store.url)
    server = (parts.scheme, parts.netloc, *sorted(parse_qsl(parts.query)))
    return allowed.StorePlace(server, tuple(each for each in unquote(parts.path).split("/") if each))


def _opened(url: str | None) -> Store:
    if not url:
        return _open_folder(paths.store())
    parts = _split(url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost") or parts.query or not parts.path.startswith("/"):
            raise UsageError("the file:// store's URL names no folder: write file:///path/of/the/folder")
        return _open_folder(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return _open_bucket(parts)
    raise UsageError("the store's URL is not understood: write file:///path or s3://bucket/prefix?endpoint=…&region=…")


def _split(url: str) -> SplitResult:
    """Split `url`; refuse credentials. No message repeats the URL, since any part may be a secret."""
    try:
        parts = urlsplit(url)
        hosts = [parts.netloc, *(urlsplit(value).netloc for _, value in parse_qsl(parts.query))]
    except ValueError:
        raise UsageError("the store's URL cannot be read") from None  # the cause quotes the URL
    if any("@" in host for host in hosts) or ":" in parts.netloc:
        raise UsageError("the store's URL holds credentials: leave them to the AWS chain (AWS_PROFILE…)")
    return parts


def _open_folder(path: Path) -> Store:
    from kubeferry.tasks.ports.store.local import LocalStore

    return LocalStore(path)


def _open_bucket(parts: SplitResult) -> Store:
    from kubeferry.tasks.ports.store.s3 import S3Store
    from kubeferry.tasks.ports.store.s3_bucket import Bucket
    from kubeferry.tasks.ports.store.s3_settings import parse

    if not BUCKET.fullmatch(parts.netloc):
        raise UsageError("the s3:// store's URL names no bucket: write s3://bucket/prefix")
    settings, shown = parse(parts.query)
    prefix = check_folder(unquote(parts.path).strip("/"))
    url = f"s3://{parts.netloc}/{prefix}".rstrip("/") + (f"?{shown}" if shown else "")
    return S3Store(Bucket(url, parts.netloc, settings), prefix)
