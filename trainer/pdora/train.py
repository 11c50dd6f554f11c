"""The training loop: Dice + cross-entropy, AdamW with warm-up and cosine, checkpoints that resume exactly."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from monai.losses import DiceCELoss
from monai.networks.nets import SwinUNETR
from torch.utils.data import DataLoader
from tqdm import tqdm

from pdora.attach import HEAD
from pdora.attention import fused_attention
from pdora.config import Config
from pdora.data import Samples, prepare_cases
from pdora.predict import decide, dice, grid_logits

_GRADIENT_NORM_MAX = 5.0


def train(
    model: SwinUNETR, config: Config, checkpoint: Path, *, resume: bool = False, log: Callable[[str], None] = print
) -> None:
    """Train what requires a gradient, in place, for `config.training.steps` steps.

    A checkpoint (trained parameters, optimiser, step) is written every `checkpoint_every` steps; with `resume` an
    existing one is continued, if it belongs to this config. On CUDA the network runs under autocast, on a CPU
    under that of bfloat16 where the config says so.
    """
    t = config.training
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device).train()
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [
        {"params": [p for name, p in parameters.items() if name not in HEAD]},
        {"params": [p for name, p in parameters.items() if name in HEAD], "lr": t.learning_rate * t.head_rate},
    ]
    optimiser = torch.optim.AdamW(groups, lr=t.learning_rate, weight_decay=t.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, t.warmup_steps, t.steps))
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    loss_of = DiceCELoss(
        to_onehot_y=True,
        softmax=True,
        include_background=False,
        batch=True,
        weight=torch.tensor([float(w) for w in t.class_weights], device=device),
    )
    state = {"optimiser": optimiser, "schedule": schedule, "scaler": scaler}
    start = _resume(checkpoint, config, parameters, state, device) if resume and checkpoint.exists() else 0
    count = sum(p.numel() for p in parameters.values())
    log(f"{count:,} trained parameters on {device}, from step {start} of {t.steps}")

    cases = prepare_cases(config, config.data.train)
    held_out = prepare_cases(config, config.data.validation)
    samples = Samples(config, cases, start * t.batch_size, t.steps * t.batch_size)
    loader = DataLoader(samples, batch_size=t.batch_size, num_workers=t.workers, persistent_workers=t.workers > 0)
    with tqdm(total=t.steps, initial=start, desc=config.task.name, unit="step", mininterval=5) as bar:
        for step, batch in enumerate(loader, start + 1):
            image, label = batch["image"].to(device), batch["label"].to(device)
            optimiser.zero_grad(set_to_none=True)
            with fused_attention(model), torch.autocast(device.type, enabled=device.type == "cuda" or t.bfloat16):
                logits = model(image)
            loss = loss_of(logits.float(), label)
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {step}")
            scaler.scale(loss).backward()
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(parameters.values(), _GRADIENT_NORM_MAX)
            scaler.step(optimiser)
            scaler.update()
            schedule.step()
            bar.update()
            bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
            if step % t.checkpoint_every == 0 or step == t.steps:
                _save(checkpoint, config, parameters, state, step)
            if held_out and (step % t.validate_every == 0 or step == t.steps):
                scores = grid_dice(model, config, held_out)
                log(
                    f"step {step}: loss {loss.item():.3f}, validation Dice "
                    + ", ".join(f"{k} {v:.3f}" for k, v in scores.items())
                )
                model.train()
    model.eval()


def grid_dice(model: SwinUNETR, config: Config, cases: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Mean Dice of each label over prepared cases, on the network's grid."""
    found = [decide(grid_logits(model, config.task, case["image"]), config.task).numpy() for case in cases]
    return {
        label["name"]: sum(dice(f, c["label"][0].numpy(), label["value"]) for f, c in zip(found, cases, strict=True))
        / len(cases)
        for label in config.task.labels[1:]
    }


def _rate(step: int, warmup: int, steps: int) -> float:
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _fingerprint(config: Config) -> str:
    return hashlib.sha256(repr(config).encode()).hexdigest()


def _save(
    path: Path, config: Config, parameters: dict[str, torch.nn.Parameter], state: dict[str, Any], step: int
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    content = {name: part.state_dict() for name, part in state.items()}
    torch.save(
        {
            "config": _fingerprint(config),
            "step": step,
            "parameters": {k: p.detach() for k, p in parameters.items()},
            **content,
        },
        partial,
    )
    os.replace(partial, path)


def _resume(
    path: Path, config: Config, parameters: dict[str, torch.nn.Parameter], state: dict[str, Any], device: torch.device
) -> int:
    content = torch.load(path, weights_only=True, map_location=device)
    if content["config"] != _fingerprint(config):
        raise ValueError(f"{path} belongs to another config or version of it; remove it or leave --resume out")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(content["parameters"][name])
    for name, part in state.items():
        part.load_state_dict(content[name])
    return int(content["step"])
