"""An object store in an S3 bucket, through boto3 (blocking: call it from threads).

Works with any S3 that knows conditional writes (`If-None-Match: *`), which create-only needs: AWS, SeaweedFS, MinIO,
R2. Large files go up in parts, so that memory stays bounded. It never makes a bucket and never lists beyond its prefix.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlencode

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from store.local_objects import write_whole
from store.objects import (
    CHUNK_BYTES,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStoreUnavailable,
    check_key,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES = 16 * 1024 * 1024
MAX_PARTS = 10_000

CONFIG = Config(
    signature_version="s3v4",  # without it presigned urls are refused with 403
    s3={"addressing_style": "path"},
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=5,
    read_timeout=60,
    max_pool_connections=32,
    # Several S3 servers refuse boto3's newer default of trailing checksums; every reference carries its own sha256.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


class S3ObjectStore:
    """`ObjectStore` in a bucket, under a prefix."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint: str | None = None,
        region: str | None = None,
        access_key: str | None = None,
        secret_key: str | None = None,
    ) -> None:
        self.bucket = bucket
        self.prefix = prefix + "/" if prefix else ""
        query = urlencode({k: v for k, v in (("endpoint", endpoint), ("region", region)) if v}, safe=":/")
        self._url = f"s3://{bucket}/{prefix}".rstrip("/") + (f"?{query}" if query else "")
        session = boto3.Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key)
        self._client: S3Client = session.client(
            "s3", endpoint_url=endpoint, region_name=region or session.region_name or "us-east-1", config=CONFIG
        )

    @property
    def url(self) -> str:
        """The bucket as an `s3://` url."""
        return self._url

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Write an object; see the protocol."""
        self._put(key, data, lambda: io.BytesIO(data), create_only)

    def put_file(self, key: str, path: Path, *, create_only: bool = False) -> None:
        """Write an object from a file; see the protocol."""
        size = path.stat().st_size
        if size > PART_BYTES:
            self._put_parts(key, path, size, create_only)
        else:
            self._put(key, path.read_bytes(), lambda: path.open("rb"), create_only)

    def get(self, key: str) -> bytes:
        """Return all bytes of an object; see the protocol."""
        return b"".join(self.open(key))

    def get_to_file(self, key: str, path: Path) -> None:
        """Download an object to a file; see the protocol."""
        write_whole(path, self.open(key))

    def open(self, key: str) -> Iterator[bytes]:
        """Return an object's bytes in chunks; see the protocol."""
        with self._errors(key):
            answer = self._client.get_object(Bucket=self.bucket, Key=self._name(key))
        return self._chunks(key, answer["Body"])

    def list(self, prefix: str = "", after: str = "") -> Iterator[ObjectInfo]:
        """Yield objects in order of their keys; see the protocol."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix + prefix, StartAfter=self.prefix + after if after else ""
        )
        with self._errors(prefix):
            for page in pages:
                for item in page.get("Contents", ()):
                    yield ObjectInfo(item["Key"][len(self.prefix) :], item["Size"])

    def stat(self, key: str) -> ObjectInfo | None:
        """Return an object's size; see the protocol."""
        try:
            with self._errors(key):
                answer = self._client.head_object(Bucket=self.bucket, Key=self._name(key))
        except ObjectNotFound:
            return None
        return ObjectInfo(key, answer["ContentLength"])

    def delete(self, key: str) -> None:
        """Remove an object; see the protocol."""
        with self._errors(key), contextlib.suppress(ObjectNotFound):
            self._client.delete_object(Bucket=self.bucket, Key=self._name(key))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)

    def _put(self, key: str, data: bytes, reopen: Callable[[], IO[bytes]], create_only: bool) -> None:
        name = self._name(key)
        extra: dict[str, Any] = {"IfNoneMatch": "*"} if create_only else {}
        with self._errors(key, reopen):
            self._client.put_object(Bucket=self.bucket, Key=name, Body=data, **extra)

    def _put_parts(self, key: str, path: Path, size: int, create_only: bool) -> None:
        """Upload in parts, one at a time; boto3's own `upload_file` cannot be told to create only."""
        where: dict[str, Any] = {"Bucket": self.bucket, "Key": self._name(key)}
        part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))
        with self._errors(key, lambda: path.open("rb")):
            upload = self._client.create_multipart_upload(**where)["UploadId"]
            try:
                parts: list[CompletedPartTypeDef] = []
                with path.open("rb") as file:
                    while data := file.read(part_bytes):
                        number = len(parts) + 1
                        answer = self._client.upload_part(**where, UploadId=upload, PartNumber=number, Body=data)
                        parts.append({"ETag": answer["ETag"], "PartNumber": number})
                extra: dict[str, Any] = {"IfNoneMatch": "*"} if create_only else {}
                self._client.complete_multipart_upload(
                    **where, UploadId=upload, MultipartUpload={"Parts": parts}, **extra
                )
            except BaseException:
                with contextlib.suppress(BotoCoreError, ClientError):
                    self._client.abort_multipart_upload(**where, UploadId=upload)
                raise

    def _chunks(self, key: str, body: Any) -> Iterator[bytes]:
        with self._errors(key), contextlib.closing(body):
            yield from body.iter_chunks(CHUNK_BYTES)

    @contextlib.contextmanager
    def _errors(self, key: str, reopen: Callable[[], IO[bytes]] | None = None) -> Iterator[None]:
        """Turn boto3's errors into ours; `reopen` gives the bytes that a write was to leave."""
        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "404", "NotFound"):
                raise ObjectNotFound(key) from None
            if code not in ("PreconditionFailed", "412"):
                raise ObjectStoreUnavailable(self.url, _sentence(error)) from error
            # When an answer was lost, boto3's second try meets the object of its own first one.
            retried = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
            if not (retried and reopen is not None and self._holds(key, reopen)):
                raise ObjectExists(key) from None
        except BotoCoreError as error:
            raise ObjectStoreUnavailable(self.url, str(error)) from error

    def _holds(self, key: str, reopen: Callable[[], IO[bytes]]) -> bool:
        stored, ours = hashlib.sha256(), hashlib.sha256()
        for chunk in self.open(key):
            stored.update(chunk)
        with reopen() as file:
            while data := file.read(CHUNK_BYTES):
                ours.update(data)
        return stored.digest() == ours.digest()


def _sentence(error: ClientError) -> str:
    details = error.response.get("Error", {})
    return f"{details.get('Code', 'error')}: {details.get('Message', '') or error}"
