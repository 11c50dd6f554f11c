"""Reading untyped mappings (YAML, JSON) with errors that name the path."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_REQUIRED = object()


class ConfigError(ValueError):
    """A key or value is missing, unknown or of the wrong kind; the message names its path."""


class Section:
    """One mapping of a config. `get` every key it may have, then `done`: what is left over is an error."""

    def __init__(self, value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise ConfigError(f"{path or 'config'}: expected a mapping, found {value!r}")
        self._values, self._path, self._left = value, path, set(value)

    def at(self, key: str) -> str:
        return f"{self._path}.{key}" if self._path else key

    def get(self, key: str, kind: type | tuple[type, ...], default: Any = _REQUIRED) -> Any:
        """The value of `key`, which must be of `kind` (int passes for float, True and False only for bool)."""
        self._left.discard(key)
        if key not in self._values:
            if default is _REQUIRED:
                raise ConfigError(f"{self.at(key)}: missing")
            return default
        value = self._values[key]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if float in kinds and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join("null" if k is type(None) else k.__name__ for k in kinds)
            raise ConfigError(f"{self.at(key)}: expected {names}, found {value!r}")
        return value

    def choice(self, key: str, allowed: Sequence[str], default: Any = _REQUIRED) -> str:
        value = self.get(key, str, default)
        if value not in allowed:
            raise ConfigError(f"{self.at(key)}: expected one of {', '.join(allowed)}, found {value!r}")
        return value

    def number(self, key: str, low: float, high: float, default: Any = _REQUIRED) -> float:
        value = self.get(key, float, default)
        if not low <= value <= high:
            raise ConfigError(f"{self.at(key)}: expected {low} to {high}, found {value}")
        return value

    def count(self, key: str, default: Any = _REQUIRED, low: int = 1) -> int:
        value = self.get(key, int, default)
        if value < low:
            raise ConfigError(f"{self.at(key)}: expected at least {low}, found {value}")
        return value

    def numbers(self, key: str, length: int, kind: type = float, default: Any = _REQUIRED) -> list[Any]:
        value = self.get(key, list, default)
        right = (int, float) if kind is float else (int,)
        if len(value) != length or any(not isinstance(v, right) or isinstance(v, bool) for v in value):
            raise ConfigError(f"{self.at(key)}: expected {length} numbers, found {value!r}")
        return value

    def section(self, key: str, default: Any = _REQUIRED) -> Section:
        return Section(self.get(key, dict, default), self.at(key))

    def done(self) -> None:
        if self._left:
            unknown = ", ".join(self.at(key) for key in sorted(map(str, self._left)))
            raise ConfigError(f"unknown key: {unknown}")
