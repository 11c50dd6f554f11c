"""The methods that can be attached: one class each, found by the name that the adapter format uses."""

from pdora.methods.base import Method
from pdora.methods.pdora import PDoRA

METHODS: dict[str, type[Method]] = {method.name: method for method in (PDoRA,)}

__all__ = ["METHODS", "Method", "PDoRA"]
