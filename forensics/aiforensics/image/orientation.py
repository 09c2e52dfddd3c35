"""The EXIF orientation: how a picture as stored is turned for a person who looks at it."""

from __future__ import annotations

from PIL import Image

Box = tuple[int, int, int, int]
"""x, y, width, height in pixels."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings each EXIF orientation upright (Exif 2.32, tag 0x0112)."""


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn a picture as stored the way that a person looks at it.

    Parameters
    ----------
    image
        The picture as stored.
    orientation
        EXIF orientation, 1 to 8; anything else counts as 1.
    """
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def upright_box(box: Box, width: int, height: int, orientation: int) -> Box:
    """Where a box of the stored picture lies in the upright picture.

    Parameters
    ----------
    box
        x, y, width, height in pixels of the stored picture.
    width, height
        Of the stored picture, in pixels.
    orientation
        EXIF orientation, 1 to 8; anything else counts as 1.

    Examples
    --------
    >>> upright_box((0, 0, 2, 1), 10, 6, 6)  # a quarter turn to the right
    (5, 0, 1, 2)
    """
    x, y, w, h = box
    right, below = width - x - w, height - y - h
    return {
        2: (right, y, w, h),
        3: (right, below, w, h),
        4: (x, below, w, h),
        5: (y, x, h, w),
        6: (below, x, h, w),
        7: (below, right, h, w),
        8: (y, right, h, w),
    }.get(orientation, box)
