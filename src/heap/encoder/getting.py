"""Download of encoders of the hub, and the search for a stronger one on this machine."""

import re
from dataclasses import dataclass
from pathlib import Path

from heap.base.errors import WeightsError
from heap.encoder import hub
from heap.encoder.files import file_digest, find_files
from heap.encoder.registry import CARDS, Card, card_of, is_local, resolve

UNGATED = {
    "dinov3-vits16": "dinov2-vits14-reg",
    "dinov3-vitb16": "dinov2-vitb14-reg",
    "dinov3-convnext-tiny": "dinov2-vits14-reg",
}
"""Nearest encoders that need no account, for those whose licence has to be accepted."""
BY_STRENGTH = (
    "embedded-small",
    "embedded-medium",
    "dino-vits16",
    "dino-vits8",
    "dino-vitb16",
    "dino-vitb8",
    "dinov3-convnext-tiny",
    "embedded",
    "dinov2-vits14",
    "dinov2-vits14-reg",
    "dinov3-vits16",
    "dinov2-vitb14",
    "dinov2-vitb14-reg",
    "dinov3-vitb16",
    "dinov2-vitl14",
    "dinov2-vitl14-reg",
)
"""Aliases by the published strength of their dense features, the strongest last: by family, then by
size."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LocalEncoder:
    """Encoder on this machine."""

    folder: Path
    fresh: bool
    """Whether it was downloaded just now."""
    megabytes: float


def describe_terms(name: str) -> str:
    """Describe an encoder and its licence, as far as they are known here.

    Raises:
        InputError: if there is no such encoder.
    """
    place, card = resolve(name), card_of(name)
    if card is not None:
        return f"{card.repo or card.alias}: {card.licence}, {card.parameters:g} M parameters"
    if isinstance(place, Path):
        return f"{place}: a folder of your own"
    return f"{place}: for its licence see {hub.page_url(place)}"


def get_encoder(name: str) -> LocalEncoder:
    """Download an encoder if it is not on this machine yet; an earlier download goes on.

    Raises:
        InputError: if there is no such encoder.
        WeightsError: if it cannot be fetched, or is not what the hub says it is.
    """
    place = resolve(name)
    cached = place if isinstance(place, Path) else hub.cached_folder(place)
    folder = cached if cached is not None else _fetch(name, str(place))
    files = find_files(folder)
    # The hub's cache names a large file after its hash: what was here before is checked as well.
    for path in files.weights:
        _check_digest(path)
    size = sum(path.stat().st_size for path in files.weights)
    return LocalEncoder(folder, cached is None, size / 1e6)


def stronger_than(name: str) -> Card | None:
    """Strongest encoder on this machine, if it is stronger than the named one.

    None if there is no stronger one, or if the named one is unknown.
    """
    card = card_of(name)
    if card is None:
        return None
    better = BY_STRENGTH[BY_STRENGTH.index(card.alias) + 1 :]
    # From the strongest down; only folders are looked at, the hub is not asked.
    return next((CARDS[alias] for alias in reversed(better) if is_local(CARDS[alias])), None)


def _fetch(name: str, repo: str) -> Path:
    from huggingface_hub.errors import GatedRepoError

    try:
        return hub.fetch(repo)
    except WeightsError as error:
        if not isinstance(error.__cause__, GatedRepoError):
            raise
        card = card_of(name)
        near = UNGATED.get(card.alias) if card else None
        instead = f"; the nearest one without that is {near}: `heap models get {near}`"
        raise WeightsError(
            f"{repo} is gated: accept its licence on {hub.page_url(repo)} with an account, "
            f"`hf auth login`, and repeat this{instead if near else ''}"
        ) from error


def _check_digest(path: Path) -> None:
    kept = path.resolve()  # the cache links names to files that are named after their content
    if _SHA256.fullmatch(kept.name) and file_digest(kept) != kept.name:
        raise WeightsError(
            f"{path} is not what the hub has, by its SHA-256; delete {kept} and repeat"
        )
