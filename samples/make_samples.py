"""Rebuild the photographs of this folder from the pictures that scikit-image ships.

Run it with `python samples/make_samples.py`. It writes the same bytes for the same version of Pillow.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from skimage import data

HERE = Path(__file__).parent
AS_JPEG = {"astronaut": data.astronaut, "cat": data.cat, "coffee": data.coffee}
"""Kept by scikit-image without loss; saved as a camera would, at their own size."""
JPEGS = {"hubble": "hubble_deep_field.jpg", "rocket": "rocket.jpg"}
"""JPEGs already: the bytes stay as they are."""


def main() -> None:
    """Write the photographs beside this file."""
    for name, load in AS_JPEG.items():
        Image.fromarray(load()).save(HERE / f"{name}.jpg", quality=95, subsampling="4:2:0", optimize=True)
    for name, kept in JPEGS.items():
        (HERE / f"{name}.jpg").write_bytes((Path(data.__file__).parent / kept).read_bytes())


if __name__ == "__main__":
    main()
