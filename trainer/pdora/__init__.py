"""Train PDoRA adapters for a shared MONAI SwinUNETR, and write the files that PDoRA Serve serves."""

from pdora.attach import attach, attached
from pdora.checkpoint import Checkpoint, load_checkpoint
from pdora.files import Adapter, Base, load_adapter, load_base, save_adapter, save_base
from pdora.fuse import fuse
from pdora.network import Architecture, build_network, new_head
from pdora.predict import predict
from pdora.task import Task

__all__ = [
    "Adapter",
    "Architecture",
    "Base",
    "Checkpoint",
    "Task",
    "attach",
    "attached",
    "build_network",
    "fuse",
    "load_adapter",
    "load_base",
    "load_checkpoint",
    "new_head",
    "predict",
    "save_adapter",
    "save_base",
]
