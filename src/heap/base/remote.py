"""File systems behind URLs, patient with stores that are overloaded, and errors of these."""

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

_LIBRARIES = ("botocore", "aiobotocore", "aiohttp")
"""Packages whose errors come from an object store."""
_SKEW = timedelta(minutes=10)
"""Difference of clocks that explains a refusal."""
_OF_LANCE = ("generic s3 error", 'store: "s3"')
"""Text in errors of LanceDB that come from one."""
_SKEWED = (
    "the clock of this machine differs from that of the storage by more than it allows (15 minutes "
    "with Amazon's); set it"
)
_ADVICE = (
    ("install s3fs", "s3:// needs s3fs: pip install 'heap[s3]'"),
    (
        "bucket does not exist|nosuchbucket|headbucket operation: not found",
        "there is no such bucket; check its name, and AWS_ENDPOINT_URL if it is not Amazon's",
    ),
    (
        "unable to locate credentials|partial credentials|not loaded credentials",
        "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
        "AWS_PROFILE; to read a bucket that everybody may read, FSSPEC_S3_ANON=true",
    ),
    (
        "permanentredirect|authorizationheadermalformed|illegallocation|[^0-9]301[^0-9]"
        "|redirect without location",
        "the bucket is in another region; set AWS_DEFAULT_REGION to that",
    ),
    # The answer to such a question has no body that says more.
    (
        r"\(400\) when calling the head",
        "the request was refused; most often the bucket is in another region (set "
        "AWS_DEFAULT_REGION to that), or the credentials have expired",
    ),
    ("requesttimetooskewed|requestexpired", _SKEWED),
    (
        "access ?denied|forbidden|[^0-9]403[^0-9]|invalidaccesskeyid|signaturedoesnotmatch",
        "access is denied; the credentials need the rights s3:ListBucket and s3:GetObject, and "
        "for a run s3:PutObject and s3:DeleteObject",
    ),
    (
        "[^0-9]50[0234][^0-9]|slowdown|service ?unavailable|reduce your request rate",
        "the storage is overloaded, and refused after many attempts, too; repeat the command, "
        "which goes on where it stopped",
    ),
    (
        "read ?timeout|timed out|timeout error|operation timeout",
        "the storage answers too slowly, and many attempts were made; repeat the command, which "
        "goes on where it stopped",
    ),
    (
        "could not connect|cannot connect|connection refused|error sending request",
        "the storage cannot be reached; check AWS_ENDPOINT_URL and the network",
    ),
)
"""Patterns of messages of s3fs, botocore and LanceDB, in lower case, and advice for users."""


def file_system(url: str) -> tuple[Any, str]:
    """File system of fsspec behind a URL, and the name that the URL has there.

    Raises:
        Exception: errors of the libraries, see `explain`.
    """
    from fsspec.core import url_to_fs

    # A kept listing would grow with the bucket, and hide what has changed since.
    files, name = url_to_fs(url, use_listings_cache=False)
    if "s3fs" in sys.modules:
        # By itself it makes a request again only where the store says "SlowDown". With botocore's
        # own repetitions this is patience for about half a minute.
        sys.modules["s3fs"].core.set_custom_error_handler(_is_overload)
    return files, name


def explain(error: BaseException) -> str:
    """Say what is wrong with an object store and what to do; empty for any other error."""
    chain = list(_chain(error))
    text = " ".join(f" {link} " for link in chain).lower()
    ours = any(type(link).__module__.startswith(_LIBRARIES) for link in chain)
    if not (ours or isinstance(error, ImportError) or any(mark in text for mark in _OF_LANCE)):
        return ""
    # Answers to some questions have no body that says why, but all have the time.
    if any(map(_is_skewed, chain)):
        return _SKEWED
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, text)), "")


def _is_overload(error: Exception) -> bool:
    return int(_answer(error).get("HTTPStatusCode", 0)) >= 500


def _is_skewed(error: BaseException) -> bool:
    """Whether a store has refused a request, and has another time than this machine."""
    answer = _answer(error)
    if answer.get("HTTPStatusCode") != 403 or not (
        date := answer.get("HTTPHeaders", {}).get("date")
    ):
        return False
    try:
        away = parsedate_to_datetime(date) - datetime.now(UTC)
    except (TypeError, ValueError):
        return False
    return abs(away) > _SKEW


def _answer(error: BaseException) -> dict[str, Any]:
    """Description of the answer of a store, where botocore has one."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    answer: dict[str, Any] = response.get("ResponseMetadata", {})
    return answer


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was made of."""
    while error is not None:
        yield error
        error = error.__cause__
