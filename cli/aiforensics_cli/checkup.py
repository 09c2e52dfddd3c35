"""What `doctor` finds out: versions, extras, devices, bundles."""

from __future__ import annotations

import os
import platform
import re
from importlib import import_module, metadata
from io import BytesIO
from typing import Any

from aiforensics import __version__
from aiforensics_cli.app import EXTRAS, expected

DISTRIBUTION = "aiforensics-toolkit"
_OPTIONAL = {
    "sklearn": "scikit-learn",
    "pytorch_grad_cam": "grad-cam",
    "pillow_heif": "pillow-heif",
    "c2pa": "c2pa-python",
}


def checkup() -> dict[str, Any]:
    """Look at everything that a scan or a training needs.

    Returns
    -------
    dict
        `tool`, `python`, `system`, `base` (library: version or None), `extras` (extra: library: version or None),
        `devices`, `bundles` (name: version, or what is wrong with it), `trial` (why no made picture could be scanned;
        empty where one could), `works` (whether a scan can work).
    """
    base = {name: _version(name) for name in requirements()}
    extras: dict[str, dict[str, str | None]] = {}
    for package, extra in EXTRAS.items():
        name = _OPTIONAL.get(package, package)
        extras.setdefault(extra, {})[name] = _version(name)
    bundles = _bundles()
    trial = _trial([name for name, bundle in bundles.items() if bundle["intact"]])
    return {
        "tool": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors",
        "base": base,
        "extras": extras,
        "devices": _devices(extras["train"]["torch"] is not None),
        "bundles": bundles,
        "trial": trial,
        "works": all(base.values()) and not trial,
    }


def requirements() -> tuple[str, ...]:
    """Name what every installation needs, as the distribution itself says; nothing where it is not installed as one."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ()
    return tuple(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line)


def advice(facts: dict[str, Any]) -> list[str]:
    """Say what to do about a check-up's findings, one line each."""
    lines = [
        f"{name} is missing: pip install --force-reinstall . in the checkout"
        for name, version in facts["base"].items()
        if not version
    ]
    lines += [
        f"the bundle {name} is not usable ({bundle['detail']}): reinstall {DISTRIBUTION}"
        for name, bundle in facts["bundles"].items()
        if not bundle["intact"]
    ]
    if not facts["bundles"]:
        lines.append(f"no bundle is installed: reinstall {DISTRIBUTION}")
    elif facts["trial"] and all(facts["base"].values()) and any(b["intact"] for b in facts["bundles"].values()):
        lines.append("a scan fails although everything is there: pip install --force-reinstall . in the checkout")
    lines += [
        f"for {_USES[extra]}: pip install '.[{extra}]' in the checkout"
        for extra, libraries in facts["extras"].items()
        if not all(libraries.values())
    ]
    return lines


_USES = {
    "train": "training, fine-tuning and Grad-CAM",
    "heif": "HEIC pictures",
    "raw": "camera RAW files",
    "c2pa": "checking Content Credentials",
    "ray": "batches on a Ray cluster",
}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _devices(has_torch: bool) -> dict[str, str]:
    devices: dict[str, str] = {}
    try:
        providers = import_module("onnxruntime").get_available_providers()
        devices["onnxruntime"] = ", ".join(name.removesuffix("ExecutionProvider") for name in providers)
    except Exception as error:  # whatever ails a library is what its owner came to learn
        devices["onnxruntime"] = f"does not load: {error}"
    if has_torch:
        try:
            torch = import_module("torch")
            cuda = torch.cuda.is_available()
            devices["torch"] = f"CUDA: {torch.cuda.get_device_name(0)}" if cuda else "CPU only"
        except Exception as error:  # as above
            devices["torch"] = f"does not load: {error}"
    return devices


def _bundles() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    try:
        from aiforensics_models.bundle import Bundle, BundleError, available  # noqa: PLC0415 - may lack its libraries
    except Exception as error:  # as above
        return {"default": {"intact": False, "detail": _line(error)}}
    for name in available():
        try:
            found[name] = {"intact": True, "detail": Bundle.load(name).version}
        except BundleError as error:
            found[name] = {"intact": False, "detail": str(error)}
    return found


def _trial(names: list[str]) -> str:
    """Scan a made picture with each bundle until one can: nothing then, else why the last one could not."""
    line = "there is no bundle to scan with"
    for name in names:
        try:
            from PIL import Image  # noqa: PLC0415 - may not load, as all that follows

            from aiforensics.pipeline import Scanner  # noqa: PLC0415

            made = BytesIO()
            Image.linear_gradient("L").convert("RGB").save(made, "PNG")
            Scanner(name).scan_bytes(made.getvalue())
        except Exception as error:  # as above
            line = _line(error)
        else:
            return ""
    return line


def _line(error: Exception) -> str:
    return " ".join((expected(error) or f"{type(error).__name__}: {error}").split())
