"""The base of all recipe data: frozen models that refuse unknown keys, and common number types."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

Probability = Annotated[float, Field(ge=0, le=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]
LearningRate = Annotated[float, Field(gt=0, le=100)]
ImageSize = Annotated[int, Field(ge=8, le=1024)]
BatchSize = Annotated[int, Field(ge=1, le=65536)]
Epochs = Annotated[float, Field(gt=0, le=100_000)]
Range = tuple[float, float]


@dataclass(frozen=True)
class Within:
    """Annotate a range: both numbers lie in [low, high], the first not above the second."""

    low: float
    high: float

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Check the range after its two numbers."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say the limits in the JSON schema."""
        return {**handler(schema), "minimum": self.low, "maximum": self.high}

    def _check(self, span: Range) -> Range:
        check_range("both numbers", span, self.low, self.high)
        return span


class Spec(BaseModel):
    """Data of a recipe: frozen, and a key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def check_range(name: str, span: tuple[float, float], low: float, high: float) -> None:
    """Refuse a range that leaves [low, high], or whose first number is above its second.

    Raises: ValueError
    """
    if span[0] > span[1]:
        raise ValueError(f"the first number of a range must not be above the second: {list(span)}")
    if not low <= span[0] <= span[1] <= high:
        raise ValueError(f"{name} must be from {low:g} to {high:g}, not {list(span)}")
