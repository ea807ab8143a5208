"""What a file of results holds. All values are fractions, but for numbers of boxes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
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
    """What found the objects."""

    name: str
    """As `--method` takes it."""
    label: str
    """As tables print it."""
    settings: dict[str, Any]
    """All of them. Those of several seeds of a method differ in nothing but keys named `seed`."""
    seed: int | None
    """None where nothing is random."""
    fit: dict[str, Any] | None
    """How it was fitted: `images`, `seconds`, `parameters`, ...; None where nothing was."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class AboutEncoder:
    """What the features come from."""

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
    """Which images were used."""

    name: str
    """As `heap datasets` lists it."""
    label: str
    """As tables print it; says so if it is not the whole of the data set."""
    images: Images
    sha256: str
    """Of the names and bytes of images and annotations: alike if the data are."""
    failed: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Cost:
    """Of one image, but for `peak_mb`; None where it was not measured."""

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
        """An estimate, rounded."""
        value, low, high = (
            round(each, DIGITS) if each == each else None  # only nan differs from itself
            for each in (estimate.value, estimate.low, estimate.high)
        )
        return cls(value=value, low=low, high=high)


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Scores:
    """What a protocol says of all its images together."""

    images: Images
    metrics: dict[str, Metric]
    notes: dict[str, Any] = Field(default_factory=dict)
    """What else the values need, or what to know of them."""


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class ImageRow:
    """One image; in the file the scores stand beside the other keys."""

    image: str
    split: str
    seconds: Amount | None
    """Time the method took."""
    peak_mb: Amount | None
    scores: dict[str, dict[str, Any]]
    """By protocol; one that does not look at the image is left out."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        own = {field.name for field in fields(cls)} - {"scores"}
        scores = {key: each for key, each in value.items() if key not in own}
        return {key: value[key] for key in own & value.keys()} | {"scores": scores}

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        about = {field.name: getattr(self, field.name) for field in fields(self)}
        scores = about.pop("scores")
        whole: dict[str, Any] = rounded(about | scores)
        return whole


@dataclass(frozen=True, kw_only=True, config=CHECKED)
class Results:
    """All that there is to know of one evaluation."""

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


def rounded(value: Any, digits: int = DIGITS) -> Any:
    """The same nested plain value with its floats rounded."""
    if isinstance(value, Mapping):
        return {key: rounded(each, digits) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each, digits) for each in value]
    return round(value, digits) if isinstance(value, float) else value
