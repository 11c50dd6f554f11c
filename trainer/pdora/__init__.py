"""Train PDoRA adapters for a shared MONAI SwinUNETR, write the files that PDoRA Serve serves, and use the service."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdora.attach import attach, attached
    from pdora.checkpoint import Checkpoint, load_checkpoint
    from pdora.client import Client
    from pdora.files import Adapter, Base, load_adapter, load_base, save_adapter, save_base
    from pdora.fuse import fuse
    from pdora.network import Architecture, build_network, new_head
    from pdora.predict import predict
    from pdora.task import Task

# Where each is, imported when it is first used: the client must not wait for PyTorch.
_HOMES = {
    "attach": ("attach", "attached"),
    "checkpoint": ("Checkpoint", "load_checkpoint"),
    "client": ("Client",),
    "files": ("Adapter", "Base", "load_adapter", "load_base", "save_adapter", "save_base"),
    "fuse": ("fuse",),
    "network": ("Architecture", "build_network", "new_head"),
    "predict": ("predict",),
    "task": ("Task",),
}
__all__ = sorted(name for names in _HOMES.values() for name in names)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: Any) -> None:
        # The import system puts every submodule here that it has loaded; three are called as the function in them is.
        super().__setattr__(name, getattr(value, name) if name in __all__ and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"pdora.{home}"), name)
    raise AttributeError(f"module 'pdora' has no attribute {name!r}")
