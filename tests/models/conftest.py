"""What tests of bundles share."""

from aiforensics_models.calibration import Calibration, Line

TOY = {
    "name": "toy",
    "version": "1",
    "classes": ["real", "ai"],
    "window": 256,
    "network": {"onnx": "network.onnx"},
    "head": {"kind": "none"},
    "features": ["embedding.log_odds"],
    "calibration": Calibration({"good": Line(1.0, 0.0, 0.1)}, 0.3, 0.7).to_dict(),
}
"""The manifest of a bundle that is a network alone."""
