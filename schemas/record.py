"""What all records share: frozen, closed, finite, hashable by content."""

from datetime import UTC
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, ValidationError

from whyseg.schemas.canonical import content_hash
from whyseg.schemas.errors import InvalidRecord

Utc = Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]  # one moment has one text


class Record(BaseModel):
    """A frozen value; unknown fields and NaN are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def plain(self) -> dict[str, Any]:
        """Return the record as plain JSON data."""
        return self.model_dump(mode="json")

    def content_hash(self) -> str:
        """Return the content hash of the record's plain data without the fields that hold their default.

        So a record keeps its hash when its class gains an optional field.
        """
        return content_hash(self.model_dump(mode="json", exclude_defaults=True))

    @classmethod
    def parse(cls, data: Any) -> Self:
        """Read a record from plain data, or from its JSON text.

        Raises ``InvalidRecord`` with one line that names the field, what was expected and what came.
        """
        try:
            return cls.model_validate_json(data) if isinstance(data, str | bytes) else cls.model_validate(data)
        except ValidationError as error:
            raise InvalidRecord(f"{cls.__name__}: {explain(error)}") from error


def explain(error: ValidationError) -> str:
    """Return the first complaint of a validation error as one line, and how many more there are."""
    first, *rest = error.errors(include_url=False)
    where = ".".join(str(part) for part in first["loc"])
    got = repr(first["input"])
    message = first["msg"].removeprefix("Value error, ")
    text = f"{where}: {message}" if where else message
    if first["type"] != "missing" and len(got) <= 60:
        text += f" (got {got})"
    return text + (f"; and {len(rest)} more" if rest else "")
