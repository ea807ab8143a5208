"""Records in a file of results. All values are fractions, but for numbers of boxes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from math import isnan
from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from heap.benchmark.results.estimate import Estimate
from heap.config import CHECKED

DIGITS = 5
FORMAT: Final = 1

Finite = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Images = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class AboutMethod:
    """Method that found the objects."""

    name: str
    """Name that `--method` takes."""
    label: str
    """Name in tables."""
    settings: dict[str, Any]
    """All settings. Those of several seeds of a method differ only in keys named `seed`."""
    seed: int | None
    """None where nothing is random."""
    fit: dict[str, Any] | None
    """Cost of fitting: `images`, `seconds`, `parameters` and more; None where nothing was."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class AboutEncoder:
    """Encoder and settings of the features."""

    name: str
    label: str
    fingerprint: str
    features: dict[str, Any]
    """The `FeatureConfig`."""
    precision: str


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Failure:
    """An image that could not be used."""

    image: str
    stage: str
    reason: str


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class AboutData:
    """Images that were used."""

    name: str
    """Name in `heap datasets`."""
    label: str
    """Name in tables; says so if it is only a part of the data set."""
    images: Images
    sha256: str
    """SHA-256 of the names and bytes of images and annotations: the same for the same data."""
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Cost:
    """Mean cost of an image, and the peak of memory; None where it was not measured."""

    features_seconds: Amount | None
    method_seconds: Amount | None
    peak_mb: Amount | None
    """Largest resident memory of the process."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Metric:
    """A value and the ends of its 95 % interval; None where it is not defined."""

    value: Finite | None
    low: Finite | None = None
    high: Finite | None = None

    @classmethod
    def of(cls, estimate: Estimate) -> "Metric":
        """Return the metric of an estimate, rounded."""
        value, low, high = (
            None if isnan(number) else round(number, DIGITS)
            for number in (estimate.value, estimate.low, estimate.high)
        )
        return cls(value=value, low=low, high=high)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Scores:
    """Values of a protocol over all its images."""

    images: Images
    metrics: dict[str, Metric]
    notes: dict[str, Any] = Field(default_factory=dict)
    """Further data that the values are computed from, or that explain them."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ImageRow:
    """Row of one image; in the file the scores stand beside the other keys."""

    image: str
    split: str
    seconds: Amount | None
    """Seconds of the method."""
    peak_mb: Amount | None
    scores: dict[str, dict[str, Any]]
    """Scores by protocol, without protocols that do not look at the image."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        own = {field.name for field in fields(cls)} - {"scores"}
        scores = {key: part for key, part in value.items() if key not in own}
        return {key: value[key] for key in own & value.keys()} | {"scores": scores}

    def to_json(self) -> dict[str, Any]:
        """Return the row as it stands in the file."""
        about = {field.name: getattr(self, field.name) for field in fields(self)}
        scores = about.pop("scores")
        whole: dict[str, Any] = round_floats(about | scores)
        return whole


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Results:
    """Everything about one evaluation."""

    format: Literal[1] = FORMAT
    command: str
    method: AboutMethod
    encoder: AboutEncoder
    data: AboutData
    versions: dict[str, str]
    machine: dict[str, Any]
    cost: Cost
    protocols: dict[str, Scores]
    rows: tuple[ImageRow, ...]

    @model_validator(mode="after")
    def _rows_fit_the_protocols(self) -> "Results":
        named = Counter(row.image for row in self.rows)
        if twice := [image for image, count in named.items() if count > 1]:
            raise ValueError(f"several rows are of the image {twice[0]!r}")
        if bare := [name for name in self.protocols if not self.scores_of(name)]:
            raise ValueError(f"no row has scores of the protocol {bare[0]!r}")
        return self

    def scores_of(self, protocol: str) -> dict[str, dict[str, Any]]:
        """Scores by image, for the images that the protocol looks at."""
        return {row.image: row.scores[protocol] for row in self.rows if protocol in row.scores}


def round_floats(value: Any, digits: int = DIGITS) -> Any:
    """Return the same nested plain value with its floats rounded."""
    if isinstance(value, Mapping):
        return {key: round_floats(part, digits) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [round_floats(part, digits) for part in value]
    return round(value, digits) if isinstance(value, float) else value
