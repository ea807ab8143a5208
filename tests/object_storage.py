"""Object storage that speaks S3, on loopback: moto's server, and what goes wrong with real ones."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import httpx
import s3fs
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

REGION = "eu-central-1"


class Storage:
    """Server of buckets; requests can be refused for a while, and are counted."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self._busy_until = 0.0
        self.refused = 0
        """Requests that were answered by 503."""
        self.forbidden: tuple[str, ...] = ()
        """Beginnings of paths, such as /bucket, that nobody may use."""
        self.elsewhere: tuple[str, ...] = ()
        """Beginnings of paths of buckets that are in another region."""
        self.hour_ahead = False
        """Whether its clock is an hour ahead, for which it refuses every request."""
        self.begin("/", 0.0)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """Variables by which every client of S3 comes here."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self._server.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }

    @cached_property
    def client(self) -> Any:
        """Client that fills buckets; to make one takes a tenth of a second."""
        place = self.environment
        return boto3.client(
            "s3",
            endpoint_url=place["AWS_ENDPOINT_URL"],
            region_name=REGION,
            aws_access_key_id=place["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=place["AWS_SECRET_ACCESS_KEY"],
        )

    def fill(self, bucket: str, folder: Path, prefix: str) -> str:
        """Make a bucket of the files in a folder; returns the URL of where they are."""
        where = {"LocationConstraint": REGION}
        self.client.create_bucket(Bucket=bucket, CreateBucketConfiguration=where)
        for path in sorted(folder.iterdir()):
            self.put(bucket, f"{prefix}/{path.name}", path.read_bytes())
        return f"s3://{bucket}/{prefix}"

    def put(self, bucket: str, name: str, data: bytes) -> None:
        """Write an object."""
        self.client.put_object(Bucket=bucket, Key=name, Body=data)

    def read(self, bucket: str, name: str) -> bytes:
        """Content of an object."""
        data: bytes = self.client.get_object(Bucket=bucket, Key=name)["Body"].read()
        return data

    def remove(self, bucket: str, name: str) -> None:
        """Delete an object."""
        self.client.delete_object(Bucket=bucket, Key=name)

    def names(self, bucket: str, prefix: str) -> list[str]:
        """Names of objects, at most a thousand."""
        listed = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", [])]

    def empty(self) -> None:
        """Make it as it was at first: nothing in it, nothing wrong."""
        self._busy_until, self.refused, self.forbidden, self.elsewhere = 0.0, 0, (), ()
        self.hour_ahead = False
        self.begin("/", 0.0)
        # What moto holds belongs to the process, and outlives its servers.
        httpx.post(f"{self.environment['AWS_ENDPOINT_URL']}/moto-api/reset")

    def begin(self, path: str, delay: float) -> None:
        """Count, from now on, objects read whose path begins so, and let each take so long."""
        self.reads, self._counted, self._delay = 0, path, delay

    def be_busy(self, seconds: float) -> None:
        """Answer every request by 503 for so long."""
        self._busy_until = time.monotonic() + seconds

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        request = Request(environ)
        path = request.path
        if request.method == "GET" and path.startswith(self._counted):
            self.reads += 1
            time.sleep(self._delay)
        answer: Any = self._moto
        if time.monotonic() < self._busy_until:
            self.refused += 1
            answer = _refusal(503, "ServiceUnavailable")
        elif path.startswith(self.forbidden or "\0"):
            answer = _refusal(403, "AccessDenied")
        elif path.startswith(self.elsewhere or "\0"):
            answer = _refusal(400, "AuthorizationHeaderMalformed")
        elif self.hour_ahead:
            answer = _refusal(403, "RequestTimeTooSkewed")
            answer.date = datetime.now(UTC) + timedelta(hours=1)
        body: Iterable[bytes] = answer(environ, start_response)
        return body


def _refusal(status: int, code: str) -> Response:
    text = f"<Error><Code>{code}</Code><Message>Not now, or not you.</Message></Error>"
    return Response(text, status, content_type="application/xml")


@contextmanager
def object_storage() -> Iterator[Storage]:
    """Storage to the end of the block; it holds nothing at first."""
    # Clients stay in the process with the address that they were made for, and are given to whoever
    # asks for one with the same options.
    s3fs.S3FileSystem.clear_instance_cache()
    storage = Storage()
    storage.empty()
    try:
        yield storage
    finally:
        storage.close()
