"""The corridor: a file goes in, a finding comes out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TypedDict, Unpack, get_args

import numpy as np
from numpy.typing import NDArray

from aiforensics import __version__
from aiforensics.analyzers import ANALYZERS, ASKING, Exhibit
from aiforensics.analyzers.protocol import Forecast
from aiforensics.decision import SPECS, decide, measurements, reasons
from aiforensics.evidence import Finding, InputError, ModelRef, Provenance, Refusal, ToolRef
from aiforensics.features import check_edition, row
from aiforensics.image import Limits, Picture, decode, read
from aiforensics.maps import Map, activation_maps, cue_maps
from aiforensics.opinion import Opinion
from aiforensics.provenance import read_anchors, read_provenance, redact
from aiforensics.quality import assess, share_examined, strangeness
from aiforensics_models.bundle import Bundle, Device
from aiforensics_models.enlargement import Enlargement
from aiforensics_models.heads import EMBEDDING
from aiforensics_models.preparation import mirrored
from aiforensics_models.runtime import Network, NetworkOutput

Pixels = NDArray[np.uint8]
Data = bytes | bytearray | memoryview
"""A whole file in memory."""
TOOL = ToolRef("aiforensics", __version__)
LEFT = 120
"""Pixels along the shorter side that have to be left of an enlarged picture when it is reduced."""
LEAST_SIDE = 8
"""Shorter side in pixels, one block of JPEG, below which there is nothing to measure."""


class Options(TypedDict, total=False):
    """What `scan` and `scan_many` pass on to `Scanner`, and mean by it."""

    redact: bool
    online: bool
    trust: str | Path | None
    limits: Limits


@dataclass(frozen=True)
class Examination:
    """A finding with what it was made from, for whoever draws a page of it."""

    finding: Finding
    picture: Picture
    outputs: tuple[NetworkOutput, ...] = field(repr=False)
    thresholds: tuple[float, float]
    looked: str = "Class activation"

    @cached_property
    def maps(self) -> tuple[Map, ...]:
        """The map of every analyzer that draws one, over every window."""
        return cue_maps(self.picture)

    @cached_property
    def activation(self) -> tuple[Map, ...]:
        """The network's maps over every window, drawn as `looked` says: orange speaks for `ai`, blue for `real`."""
        return activation_maps(self.picture, self.outputs, self.looked)


class Scanner:
    """Examines pictures with one bundle. Make one and use it for many pictures.

    Parameters
    ----------
    model
        A shipped bundle's name, or a bundle's folder.
    device
        `cuda` runs the network in PyTorch on a GPU (extra `train`); `auto` and `cpu` on one CPU thread.
    redact
        Leave names, places and prompts out of the provenance claims.
    online
        Allow validation of signed manifests to use the network.
    trust
        A PEM file of trusted signers; without it no signature counts as trusted.
    limits
        Caps on what is decoded.

    Raises
    ------
    BundleError
        If there is no such model, it cannot be used, or there is no GPU, or no PyTorch, for `cuda`.
    FeatureError
        If the model needs a feature that this version does not measure.
    TrustError
        If the trust list cannot be used.
    ValueError
        If there is no such device.
    """

    def __init__(
        self,
        model: str | Path = "default",
        *,
        device: Device = "auto",
        redact: bool = False,
        online: bool = False,
        trust: str | Path | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
    ) -> None:
        if device not in get_args(Device):
            raise ValueError(f"there is no device {device!r}: choose {', '.join(get_args(Device))}")
        anchors = read_anchors(trust) if trust is not None else None
        self.bundle = Bundle.load(model)
        # One of another version is told here, not of every picture.
        row(self.bundle.features, dict.fromkeys(SPECS, 0.0))
        check_edition(self.bundle.features, self.bundle.manifest.get("edition"))
        self._ref = ModelRef(self.bundle.name, self.bundle.version, self.bundle.sha256)
        self._network: Network = self.bundle.network(device)
        # A part that cannot be opened is told here, not of every picture.
        _ = self.bundle.head, self.bundle.reference, self.bundle.enlargement
        self._redact = redact
        self._online = online
        self._trust = anchors
        self._limits = limits
        self._again = partial(
            Scanner, self.bundle.folder, device=device, redact=redact, online=online, trust=trust, limits=limits
        )

    def __reduce__(self) -> tuple[partial[Scanner], tuple[()]]:
        """Travel to another process as what it was made of: it is opened there anew."""
        return self._again, ()

    def scan(self, source: str | Path) -> Finding:
        """Examine a file.

        Parameters
        ----------
        source
            Its path. A text is never an address: nothing is downloaded.

        Raises
        ------
        InputError
            `not-found`, `unreadable`, `unsupported`, `truncated` or `too-large`, with the line that says what to do.
        """
        return self.examine(source).finding

    def scan_bytes(self, data: Data, path: str = "-") -> Finding:
        """Examine a picture given as bytes.

        Parameters
        ----------
        data
            The whole file.
        path
            What the finding calls it, and no more: it is not opened.

        Raises
        ------
        InputError
            `unreadable`, `unsupported`, `truncated` or `too-large`, with the one line that says what to do.
        TypeError
            If `data` is no bytes: a path in its place is not opened.
        """
        if not isinstance(data, Data):
            raise TypeError(f"give the bytes of a file, or use scan for a path: this is {type(data).__name__}")
        return self.examine(data, path).finding

    def examine(self, source: str | Path | Data, path: str = "-") -> Examination:
        """Examine a file, or a picture given as bytes, and keep what maps are drawn from.

        Parameters
        ----------
        source
            A path, or the bytes of a whole file.
        path
            What the finding calls bytes; a file has its own.

        Raises
        ------
        InputError
            As `scan` and `scan_bytes` do.
        """
        started = time.perf_counter()
        if isinstance(source, Data):
            return self.examine_picture(decode(bytes(source), path, self._limits), started)
        return self.examine_picture(read(source, self._limits), started)

    def examine_picture(self, picture: Picture, started: float | None = None) -> Examination:
        """Examine a decoded picture.

        Parameters
        ----------
        picture
            What `aiforensics.image` made of a file or of an array.
        started
            The `time.perf_counter()` from which the finding's seconds count; by default now.

        Raises
        ------
        InputError
            `unsupported` for a picture with a side of fewer than 8 pixels.
        ArithmeticError
            If the model answers with what is no number: it or the installation is damaged.
        """
        started = time.perf_counter() if started is None else started
        if min(picture.width, picture.height) < LEAST_SIDE:
            size = f"{picture.width} × {picture.height} pixels"
            raise InputError("unsupported", f"the picture has only {size}: give one of at least {LEAST_SIDE} on a side")
        picture, values, opinion = measure(picture, self._network, self.bundle.enlargement)
        answer = self.bundle.head(row(self.bundle.features, values), opinion.embedding)
        for name, value in {**values, "the head's answer": answer.log_odds, "its spread": opinion.spread}.items():
            if not math.isfinite(value):  # no verdict may rest on it, and no number may stand for it
                raise ArithmeticError(f"{name} is {value}: the bundle or the installation is damaged")
        assessment = assess(picture, values, self._strangeness(opinion.outputs))
        calibration = self.bundle.calibration
        p_ai = calibration.probability(answer.log_odds, assessment.condition)
        interval = calibration.interval(answer.log_odds, opinion.spread, assessment.condition)
        verdict, decision = decide(calibration, p_ai, assessment.quality, interval)
        finding = Finding(
            path=picture.path,
            sha256=picture.sha256,
            bytes=len(picture.data),
            format=picture.format,
            width=picture.width,
            height=picture.height,
            verdict=verdict,
            p_ai=p_ai,
            interval=interval,
            quality=assessment.quality,
            provenance=self._provenance(picture),
            analyzers=measurements(values, dict(zip(self.bundle.features, answer.shares.tolist(), strict=True))),
            reasons=reasons(self.bundle.features, values, answer),
            model=self._ref,
            tool=TOOL,
            seconds=time.perf_counter() - started,
            notes=_notes(picture),
            condition=assessment.condition,
            decision=decision,
            start=answer.base,
        )
        return Examination(finding, picture, opinion.outputs, (calibration.real_below, calibration.ai_from))

    def _strangeness(self, outputs: tuple[NetworkOutput, ...]) -> float:
        reference = self.bundle.reference
        if reference is None:
            return 0.0
        embeddings = np.stack([output.embedding for output in outputs])
        return strangeness(embeddings, reference.centre, reference.scale, reference.usual)

    def _provenance(self, picture: Picture) -> Provenance:
        found = read_provenance(picture, online=self._online, trust=self._trust)
        return redact(found) if self._redact else found


def scan(
    source: str | Path,
    *,
    model: str | Path = "default",
    device: Device = "auto",
    **options: Unpack[Options],
) -> Finding:
    """Examine one file; use a `Scanner` for many, because this one loads the model each time.

    Parameters
    ----------
    source
        The file's path.
    model, device
        As for `Scanner`.
    **options
        `redact`, `online`, `trust` and `limits`, as for `Scanner`.

    Raises
    ------
    InputError
        If the file cannot be examined: its `kind` is `not-found`, `unreadable`, `unsupported`, `truncated` or
        `too-large`, its `message` the one line that says what to do.
    BundleError, FeatureError, TrustError, ValueError
        For a wrong model, trust list or device, as from `Scanner`.
    """
    return Scanner(model, device=device, **options).scan(source)


def scan_many(
    sources: Iterable[str | Path],
    *,
    model: str | Path = "default",
    device: Device = "auto",
    **options: Unpack[Options],
) -> Iterator[Finding | Refusal]:
    """Examine files one after the other in this process; an input that is refused becomes a `Refusal`.

    The model is loaded at once, the files as the results are asked for. For many processes use `aiforensics.batch`.

    Parameters
    ----------
    sources
        The files' paths; read one by one, so that they may be endless.
    model, device
        As for `Scanner`.
    **options
        `redact`, `online`, `trust` and `limits`, as for `Scanner`.

    Returns
    -------
    Iterator of Finding or Refusal
        One for each path, in their order.

    Raises
    ------
    TypeError
        If `sources` is one path instead of several.
    BundleError, FeatureError, TrustError, ValueError
        For a wrong model, trust list or device, as from `Scanner`.
    """
    if isinstance(sources, str | Path | Data):
        raise TypeError(f"give a list of paths, or use scan for one: {sources!r:.200}")
    scanner = Scanner(model, device=device, **options)

    def results() -> Iterator[Finding | Refusal]:
        for source in sources:
            try:
                result: Finding | Refusal = scanner.scan(source)
            except Exception as error:  # a defect that one file lays bare must not cost the others
                result = Refusal.of(str(source), error)
            yield result

    return results()


def measure(
    picture: Picture, network: Network, enlargement: Enlargement | None = None
) -> tuple[Picture, dict[str, float], Opinion]:
    """Every feature of a picture by full name, and what the network makes of it.

    Parameters
    ----------
    picture
        A decoded picture.
    network
        Asked of every window.
    enlargement
        What tells enlarged pictures; without it every picture is examined as it is.

    Returns
    -------
    The picture as it was examined, its features, and the network's opinion.
    """
    picture, values = examined(picture, enlargement)
    opinion = Opinion.of(picture.windows, network)
    known = {window.pixels.tobytes(): output for window, output in zip(picture.windows, opinion.outputs, strict=True)}
    known[mirrored(picture.windows[0].pixels).tobytes()] = opinion.mirror

    def forecast(pixels: Pixels) -> NDArray[np.float64]:
        output = known.get(pixels.tobytes()) or network(pixels)
        return 1.0 / (1.0 + np.exp(-np.clip(output.logits, -30.0, 30.0)))

    return picture, {**values, **asked(picture, forecast), EMBEDDING: opinion.log_odds}, opinion


def examined(picture: Picture, enlargement: Enlargement | None = None) -> tuple[Picture, dict[str, float]]:
    """The picture at the size whose detail it holds, and by full name the features of it that ask no network."""
    values = _handcrafted(picture)
    if enlargement is None:
        return picture, values
    times = enlargement(row(enlargement.names, values))
    left, top, right, bottom = picture.content
    times = min(times, min(right - left, bottom - top) / LEFT)
    if times >= enlargement.least:  # a small picture is examined as it is
        picture = replace(picture, enlarged=times)
        values = _handcrafted(picture)
    return picture, values


def asked(picture: Picture, forecast: Forecast | None = None) -> dict[str, float]:
    """By full name the features that ask the network; what needs a forecast is 0 where there is none."""
    exhibit = Exhibit(picture.windows, forecast)
    return {name: value for analyzer in ASKING for name, value in analyzer.measure(exhibit).items()}


def _notes(picture: Picture) -> tuple[str, ...]:
    """What decoding did, what was left out as a border, and how little was examined where it is less than half."""
    notes, where = list(picture.notes), "the picture"
    if picture.framed:
        left, top, right, bottom = picture.content
        kind, where = (
            ("a plain or empty part", "the rest") if picture.missing else ("a plain border", "what it surrounds")
        )
        notes.append(f"{kind} was left out, around {right - left} × {bottom - top} pixels")
    share, count = share_examined(picture), len(picture.windows)
    if share < 0.5:
        were = "windows were" if count > 1 else "window was"
        notes.append(f"{count} {were} examined, {100 * share:.2g}% of {where}: the rest was not judged")
    return tuple(notes)


def _handcrafted(picture: Picture) -> dict[str, float]:
    exhibit, quiet = Exhibit(picture.windows), [analyzer for analyzer in ANALYZERS if analyzer not in ASKING]
    return {name: value for analyzer in quiet for name, value in analyzer.measure(exhibit).items()}
