"""The gate: the only place where bytes of a picture are decoded."""

from aiforensics.image.gate import Limits, decode, from_array, read
from aiforensics.image.picture import JpegFacts, Picture, Window
from aiforensics.image.sniff import SUFFIXES

__all__ = ["SUFFIXES", "JpegFacts", "Limits", "Picture", "Window", "decode", "from_array", "read"]
