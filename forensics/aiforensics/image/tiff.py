"""TIFF by Pillow's plugin, with the pixels as they are stored."""

from __future__ import annotations

from PIL.TiffImagePlugin import TiffImageFile


class StoredTiff(TiffImageFile):
    """A TIFF whose orientation is not applied to its pixels, as it is not in any other format."""

    def load_end(self) -> None:
        """Take the stored size back, where Pillow would turn the pixels by the tag or by a word in the XMP."""
        self._size = self.im.size
