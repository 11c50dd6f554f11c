"""The methods: one class each that can be put on a weight, and those that train whole parameters."""

from pdora.methods.base import Method
from pdora.methods.bora import BoRA
from pdora.methods.delta import Delta
from pdora.methods.dora import DoRA
from pdora.methods.lora import LoRA
from pdora.methods.loram import LoRAM
from pdora.methods.map import MAP
from pdora.methods.pdora import PDoRA
from pdora.methods.pissa import PiSSA

# By the names that the adapter format uses.
METHODS: dict[str, type[Method]] = {
    method.name: method for method in (LoRA, PiSSA, LoRAM, DoRA, PDoRA, BoRA, MAP, Delta)
}
# Names of parameters that are trained whole and travel as they are, besides the head; nothing is put on a weight.
WHOLE: dict[str, tuple[str, ...]] = {"head": (), "decoder": ("decoder",), "full": ("*",)}

__all__ = ["METHODS", "WHOLE", "Method"]
