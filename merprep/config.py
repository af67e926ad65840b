"""Configuration: frozen models whose canonical JSON hashes to the short id in a file's name."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from merprep.canonical import canonical_json, short_hash
from merprep.errors import ConfigError

__all__ = ["StageConfig", "canonical_json", "short_hash"]


class StageConfig(BaseModel):
    """The base of every configuration: frozen, and unknown fields are errors.

    Examples
    --------
    >>> class Size(StageConfig):
    ...     size: int = 28
    >>> Size().config_id() == Size(size=28).config_id()
    True
    >>> len(Size().config_id())
    8
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)

    def canonical_json(self) -> str:
        """Return the configuration as JSON with sorted keys and no blanks: equal settings, equal text."""
        return canonical_json(self.model_dump(mode="json"))

    def config_id(self) -> str:
        """Return eight hexadecimal digits of the SHA-256 of the canonical JSON."""
        return short_hash(self.canonical_json())

    @classmethod
    def read(cls, values: dict[str, Any], *, where: str) -> Self:
        """Validate `values`, turning what is wrong into one readable error that names the field.

        Raises
        ------
        ConfigError
            Where a field is unknown, missing or out of range.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"]) or cls.__name__
            raise ConfigError(
                f"The setting '{name}' is not valid: {first['msg']}",
                where=where,
                found=repr(first.get("input")),
                expected="fields: " + ", ".join(cls.model_fields),
            ) from error
