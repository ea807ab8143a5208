"""Weights of the Hugging Face hub: from its cache if they are there, else over the network."""

import logging
from collections.abc import Sequence
from pathlib import Path

from heap.base.deadline import run_within
from heap.base.errors import InputError, WeightsError, first_line
from heap.encoder.files import (
    CONFIG,
    INDEX,
    PICKLE,
    PREPROCESSOR,
    WEIGHTS,
    find_files,
    shard_names,
)

TIMEOUT_S = 4.5
"""Seconds that the hub may take for its first answer, and again for the small files."""

_log = logging.getLogger(__name__)


def fetch(repo: str) -> Path:
    """Folder of the hub's cache with the encoder's files; missing files are downloaded.

    Raises:
        WeightsError: if the files are not on this machine and cannot be fetched from the hub.
    """
    cached = cached_folder(repo)
    if cached is not None:
        return cached
    try:
        return _download(repo)
    except WeightsError:
        raise
    except Exception as error:
        # The hub's client lets errors of its network library through, and other versions of it use
        # another library.
        raise _failure(repo, _reason(error)) from error


def fetch_head(repo: str) -> Path:
    """Folder of the hub's cache with a fitted head; missing files are downloaded.

    Raises:
        InputError: if it is not on this machine and cannot be fetched from the hub.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    try:
        config, weights = (try_to_load_from_cache(repo, name) for name in (CONFIG, WEIGHTS))
        if isinstance(config, str) and isinstance(weights, str):
            return Path(config).parent
        folder = _download_config(repo, ()).parent
        hf_hub_download(repo, WEIGHTS, revision=folder.name, etag_timeout=TIMEOUT_S)
    except Exception as error:
        # Of any kind, as above; an impossible name is an error of the hub's client too.
        raise InputError(_reason(error)) from error
    return folder


def cached_folder(repo: str) -> Path | None:
    """Folder of the hub's cache with all needed files of `repo`, without the network; or None."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(repo, CONFIG)
    # None means that the hub was never asked for a preprocessor: it may have one, and its mean and
    # std matter. If the hub was asked and has none, the cache says so.
    if not isinstance(config, str) or try_to_load_from_cache(repo, PREPROCESSOR) is None:
        return None
    try:
        return find_files(Path(config).parent).config.parent
    except WeightsError:
        return None


def unreachable_reason() -> str | None:
    """Reason why the hub does not answer; None if it does."""
    from huggingface_hub import constants, get_session

    def ask() -> None:
        get_session().head(constants.ENDPOINT, timeout=TIMEOUT_S)

    try:
        run_within(TIMEOUT_S, ask)
    except Exception as error:
        # Of any kind, as above.
        return f"{constants.ENDPOINT}: {_reason(error)}"
    return None


def page_url(repo: str) -> str:
    """Address of the page on which a person reads about the repository."""
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/{repo}"


def _download_config(repo: str, extra: Sequence[str]) -> Path:
    """Download the configuration, and the small files `extra` if the repository has them.

    The folder of the configuration is named after the commit, to which all files have to belong.
    """
    from huggingface_hub import hf_hub_download

    if reason := unreachable_reason():
        raise ConnectionError(reason)

    def work() -> Path:
        config = Path(hf_hub_download(repo, CONFIG, etag_timeout=TIMEOUT_S))
        for name in extra:
            _try_download(repo, name, config.parent.name)
        return config

    # A limit of our own, because the client tries again and again whatever its limits are.
    return run_within(TIMEOUT_S, work)


def _download(repo: str) -> Path:
    from huggingface_hub import hf_hub_download

    _log.info("downloading %s", repo)
    config = _download_config(repo, (PREPROCESSOR,))
    commit = config.parent.name
    # One file of weights, or the shards that an index names, or the pickle of older repositories.
    if _try_download(repo, WEIGHTS, commit) is None:
        index = _try_download(repo, INDEX, commit)
        for name in shard_names(index) if index else [PICKLE]:
            hf_hub_download(repo, name, revision=commit, etag_timeout=TIMEOUT_S)
    return config.parent


def _try_download(repo: str, name: str, commit: str) -> Path | None:
    """Download a file of a commit; None if the repository has no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        return Path(hf_hub_download(repo, name, revision=commit, etag_timeout=TIMEOUT_S))
    except RemoteEntryNotFoundError:
        return None


def _reason(error: Exception) -> str:
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        return "its licence has to be accepted on its page, then `hf auth login`"
    if isinstance(error, RepositoryNotFoundError):
        return "the hub has no such repository, or shows it to its owner only"
    return first_line(error).rstrip(".")


def _failure(repo: str, reason: str) -> WeightsError:
    folder = f"<folder>/{repo.rpartition('/')[2]}"
    return WeightsError(
        f"the weights of {repo} are not on this machine and cannot be fetched ({reason}); "
        f"put its {CONFIG}, {WEIGHTS} and {PREPROCESSOR} into {folder} "
        "and set HEAP_WEIGHTS_DIR=<folder>"
    )
