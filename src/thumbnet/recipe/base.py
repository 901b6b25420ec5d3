"""What all recipe data shares: frozen models that refuse unknown keys, and common number types."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
ImageSize = Annotated[int, Field(ge=8, le=1024)]
BatchSize = Annotated[int, Field(ge=1, le=65536)]
Epochs = Annotated[float, Field(gt=0, le=100_000)]


def _ordered(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"the first of a range must not be over the last, got {list(span)}")
    return span


Range = Annotated[tuple[float, float], AfterValidator(_ordered)]


class Spec(BaseModel):
    """Data of a recipe: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def check_range(name: str, span: tuple[float, float], low: float, high: float) -> None:
    """Refuse a range that leaves [low, high].

    Raises: ValueError
    """
    if not low <= span[0] <= span[1] <= high:
        raise ValueError(f"{name} must lie in [{low:g}, {high:g}], got {list(span)}")
