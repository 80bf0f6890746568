"""What a check gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class Box(TypedDict):
    """Corners in pixels of the upright image."""

    x0: float
    y0: float
    x1: float
    y1: float


class Face(TypedDict):
    """The one face."""

    bbox: Box
    #: Left eye, right eye, nose, left and right mouth corner as seen in the image: ``[x, y]``.
    landmarks: list[list[float]]
    score: float


class ImageInfo(TypedDict):
    """The upright image."""

    width: int
    height: int
    format: str


class Quality(TypedDict):
    """For information; no decision uses it."""

    face_share: float
    brightness: float
    contrast: float
    sharpness: float


class _Thresholds(TypedDict):
    face: float
    liveness: float
    mask: float


class Thresholds(_Thresholds, total=False):
    """The thresholds in force."""

    #: Only where it is set.
    review: float


class Model(TypedDict):
    """One model of the server."""

    name: str
    sha256: str


class Runtime(TypedDict):
    """What the server's models run on."""

    name: str
    version: str


class Timings(TypedDict):
    """Milliseconds of each stage."""

    decode_ms: float
    detect_ms: float
    mask_ms: float
    liveness_ms: float
    total_ms: float


class Details(TypedDict):
    """What was measured on the way to the result."""

    face: Face
    mask_score: float
    #: How surely the face is a presentation attack, 0 to 1: not calibrated, ``score`` is.
    attack_score: float
    image: ImageInfo
    quality: Quality
    thresholds: Thresholds
    models: list[Model]
    runtime: Runtime
    timings: Timings


@dataclass(frozen=True)
class Result:
    """A photo that was judged."""

    #: Whether it counts as a photo of a live person.
    liveness: bool
    #: Confidence in that, 0 to 1.
    score: float
    #: There when asked for.
    details: Details | None
    #: What the server's log is searched by.
    request_id: str
    #: Whether the score lies in the review band, so that people should look; ``liveness`` is false.
    review: bool = False
    #: Whether the key is a sandbox key: no photo was judged.
    sandbox: bool = False
