"""Transfers to and from one S3 bucket, verified at both ends.

The server verifies uploads against a SHA-256 (in a header, never in a trailer, which many servers do not support; a
server without SHA-256 gets an MD5, which all support). Downloads are verified against the SHA-256 in the object's
metadata. What a server lacks is found out by the first request that needs it (s3_abilities.py).
"""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any, BinaryIO

from botocore.exceptions import BotoCoreError, FlexibleChecksumError

from kubeferry.tasks.core.errors import DamagedError, KubeferryError, StoreError, StoreUnavailableError
from kubeferry.tasks.ports.local import files
from kubeferry.tasks.ports.store.s3_abilities import Lack, abilities
from kubeferry.tasks.ports.store.s3_client import Answer, Client, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubeferry.tasks.ports.store.s3_settings import Settings

PART = 8 << 20
"""Bytes of a part of a multipart upload, and the largest file sent in one request. S3's minimum is 5 MiB."""
MAX_PARTS = 10_000
"""S3's limit ("Amazon S3 multipart upload limits"): a file that would exceed it gets larger parts."""
THREADS = 4
"""Concurrent parts: times PART, the memory of an upload."""
TRIES = 3
"""Attempts of a download that breaks off; the library retries requests."""
SHA256 = "kubeferry-sha256"
"""The metadata field with the hex SHA-256 of the whole content; S3's own of a multipart upload covers its parts."""


class Bucket(Client):
    """Uploads to and downloads from a bucket; safe for use by many threads."""

    def __init__(self, url: str, name: str, settings: Settings) -> None:
        super().__init__(url, name, settings)
        self.abilities = abilities(url)

    def send(self, key: str, data: bytes, metadata: dict[str, str] | None = None, **arguments: Any) -> None:
        """Upload `data` in one request; the server verifies it."""
        fields = {SHA256: hashlib.sha256(data).hexdigest(), **(metadata or {})}
        self._checked(
            lambda md5: self._create(
                "put_object", key, Body=data, Metadata=fields, **self._seal(data, md5=md5), **arguments
            )
        )

    def send_file(self, key: str, path: Path, check: Callable[[], None], **arguments: Any) -> None:
        """Upload the file at `path`, a large one in parts, each verified; `check` may stop it before each.

        Raises OSError if the file cannot be read.
        """
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            if size <= PART:
                check()
                return self.send(key, file.read(), **arguments)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._checked(lambda md5: self._send_parts(key, path, (size, digest), check, arguments, md5=md5))
        return None

    def fetch(self, key: str, file: BinaryIO, most: int | None = None) -> None:
        """Write the content of `key` to `file`; start again if the download breaks off or is damaged.

        Raises:
            DamagedError: it stays damaged, or is larger than `most` bytes.
        """
        for left in reversed(range(TRIES)):
            answer = self._got(key)
            if most is not None and answer.get("ContentLength", 0) > most:
                answer["Body"].close()
                raise self._too_large(key, most)
            file.seek(0)
            file.truncate()
            try:
                return self._receive(key, answer, file, most)
            except (StoreUnavailableError, DamagedError):
                if not left:
                    raise
        return None

    def _got(self, key: str) -> Answer:
        """Ask for an object, and for the checksum that the server keeps, if it knows such."""
        if Lack.READS not in self.abilities:
            try:
                return self.ask("get_object", key, ChecksumMode="ENABLED")
            except UnsupportedError:
                answer = self.ask("get_object", key)  # raises again if the header was not the cause
                self.abilities.note(Lack.READS)
                return answer
        return self.ask("get_object", key)

    def _too_large(self, key: str, most: int) -> DamagedError:
        return DamagedError(f"store {self.url}: {key} is larger than {most} bytes, the limit of such files")

    def _receive(self, key: str, answer: Answer, file: BinaryIO, most: int | None) -> None:
        digest = hashlib.sha256()
        try:
            with closing(answer["Body"]) as body:
                for chunk in body.iter_chunks(files.CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
                    if most is not None and file.tell() > most:  # an answer may have no length
                        raise self._too_large(key, most)
        except FlexibleChecksumError as error:
            raise DamagedError(f"store {self.url}: {key} does not match the checksum that the server keeps") from error
        except BotoCoreError as error:
            raise self.ours(error, key) from error
        if answer["Metadata"].get(SHA256, digest.hexdigest()) != digest.hexdigest():
            raise DamagedError(f"store {self.url}: {key} does not match the SHA-256 that it was saved with")

    def _send_parts(
        self, key: str, path: Path, known: tuple[int, str], check: Callable[[], None], arguments: Answer, *, md5: bool
    ) -> Answer:
        """Upload in parts; all or nothing. Return the answer to the first part: it shows what was verified."""
        size, digest = known
        if not md5:
            arguments = {**arguments, "ChecksumAlgorithm": "SHA256"}
        upload = self._create("create_multipart_upload", key, Metadata={SHA256: digest}, **arguments)["UploadId"]
        length = max(PART, -(-size // MAX_PARTS))
        pool = ThreadPoolExecutor(THREADS, "s3-part")

        def send(number: int) -> Answer:
            check()
            return self._send_part(key, path, upload, number, length, md5=md5)

        try:
            parts = list(pool.map(send, range(1, -(-size // length) + 1)))
            check()
            self.ask("complete_multipart_upload", key, UploadId=upload, MultipartUpload={"Parts": parts})
        except BaseException as error:
            pool.shutdown(cancel_futures=True)
            try:
                self.ask("abort_multipart_upload", key, UploadId=upload)
            except KubeferryError as left:
                error.add_note(f"and the uploaded parts may still exist: {left}")
            raise
        finally:
            pool.shutdown()
        return parts[0]

    def _send_part(self, key: str, path: Path, upload: str, number: int, length: int, *, md5: bool) -> Answer:
        with path.open("rb") as file:
            file.seek((number - 1) * length)
            data = file.read(length)
        seal = self._seal(data, md5=md5)
        answer = self.ask("upload_part", key, UploadId=upload, PartNumber=number, Body=data, **seal)
        kept = {"ChecksumSHA256": answer["ChecksumSHA256"]} if "ChecksumSHA256" in answer else {}
        if "ChecksumSHA256" in seal and not kept:
            raise UnsupportedError(f"store {self.url}: {key}: the server does not check SHA-256")
        return {"PartNumber": number, "ETag": answer["ETag"], **kept}

    def _create(self, operation: str, key: str, **arguments: Any) -> Answer:
        """Make one request that creates an object, encrypted as the URL of the store says.

        Raises:
            StoreError: (also) the answer does not say that it is encrypted so: servers ignore headers that they do not
                know. What was created is removed again.
        """
        answer = self.ask(operation, key, **arguments, **self.settings.encryption)
        if self.settings.sse and answer.get("ServerSideEncryption") != self.settings.sse:
            error = StoreError(f"store {self.url}: {key}: the server does not encrypt with sse={self.settings.sse}")
            try:
                self._unmake(key, answer)
            except KubeferryError as left:
                error.add_note(f"and what was written may still exist: {left}")
            raise error
        return answer

    def _unmake(self, key: str, answer: Answer) -> None:
        if "UploadId" in answer:
            self.ask("abort_multipart_upload", key, UploadId=answer["UploadId"])
        else:
            self.ask("delete_object", key, **{name: answer[name] for name in ("VersionId",) if name in answer})

    @staticmethod
    def _seal(data: bytes, *, md5: bool) -> dict[str, str]:
        """Return the header by which the server verifies `data`.

        Where this machine has no MD5 (FIPS without OpenSSL's default provider) it is none: then the library signs the
        SHA-256 of the content with the request, which every server verifies (botocore: S3SigV4Auth).
        """
        if not md5:
            return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(data).digest()).decode()}
        try:
            digest = hashlib.md5(data, usedforsecurity=False).digest()
        except ValueError:
            return {}
        return {"ContentMD5": base64.b64encode(digest).decode()}

    def _checked(self, save: Callable[[bool], Answer]) -> None:
        """Upload; if the server refuses or ignores SHA-256, upload again with MD5, and use MD5 from then on.

        `save` gets whether to use MD5.
        """
        if Lack.SHA256 in self.abilities:
            save(True)  # noqa: FBT003 - the one argument of a small function
            return
        try:
            if save(False).get("ChecksumSHA256"):  # noqa: FBT003 - as above
                return
        except UnsupportedError:
            pass
        save(True)  # noqa: FBT003 - as above; raises again if SHA-256 was not the cause
        self.abilities.note(Lack.SHA256)
