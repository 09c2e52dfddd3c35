"""Where PyTorch trains, and whether it compiles a network first."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys

import torch

from aiforensics.lab.train.recipes import RecipeError
from aiforensics_models.bundle import Device

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of malloc.h


def training_device(wanted: Device) -> torch.device:
    """Take the GPU where there is one and nobody asked for the CPU.

    Raises
    ------
    RecipeError
        If CUDA was asked for and PyTorch sees no such GPU.
    """
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise RecipeError("--device cuda was asked for, but PyTorch sees no CUDA GPU here: use --device cpu")
    return torch.device("cuda" if there and wanted != "cpu" else "cpu")


def drawing_threads(device: torch.device) -> int:
    """Threads that draw crops: one keeps up with a network on the same core, a GPU wants several."""
    return 1 if device.type == "cpu" else min(8, os.cpu_count() or 1)


def check_compiler() -> None:
    """Make sure that a C++ compiler is there before anything is trained.

    Raises
    ------
    RecipeError
        If there is none.
    """
    name = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(name) is None:
        raise RecipeError(f"--compile needs a C++ compiler, and there is no {name}: install one, or name it in CXX")


def keep_memory() -> None:
    """Tell glibc to keep what is freed: every step asks for the same tensors again.

    Without, large tensors go back to the kernel and come again page by page, about a third of the CPU time of a plain
    step (`benchmarks/training_step.py`). Does nothing where the C library is another.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
