import os
from collections.abc import Iterable
from typing import Any, Literal, Protocol, final

import pyarrow  # type: ignore[import-untyped, unused-ignore]

__all__ = ["Answer", "Engine", "__version__"]

__version__: str

class _ArrowArray(Protocol):
    """Exports one Arrow array, such as ``pyarrow.Array``."""

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]: ...

class _ArrowStream(Protocol):
    """Exports several, such as ``pyarrow.ChunkedArray`` or ``polars.Series``."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

class _ToList(Protocol):
    """A column of names, such as ``pyarrow.ChunkedArray``."""

    def to_pylist(self) -> list[Any]: ...

@final
class Answer:
    """The outcome of one photo: a verdict, or the error code that says why there is none."""

    @property
    def success(self) -> bool:
        """Whether there is a verdict."""

    @property
    def liveness(self) -> bool | None:
        """Whether the face is a live person's; ``None`` without a verdict."""

    @property
    def score(self) -> float | None:
        """Calibrated confidence, 0 to 1, that the face is a live person's; ``None`` without a verdict."""

    @property
    def review(self) -> bool:
        """Whether the score lies between ``review_threshold`` and ``liveness_threshold``."""

    @property
    def error_code(self) -> str | None:
        """Three digits, such as ``"051"``; ``None`` with a verdict."""

    @property
    def error_message(self) -> str | None:
        """The text that goes with the code; ``None`` with a verdict."""

    @property
    def error_detail(self) -> str | None:
        """Why there is no verdict, in one sentence with the figures; ``None`` with a verdict."""

    def __eq__(self, value: object, /) -> bool: ...
    def __ne__(self, value: object, /) -> bool: ...
    __hash__: None  # type: ignore[assignment]

@final
class Engine:
    """Judges photos. Immutable and thread-safe: make one per process and share it.

    The settings have the names, ranges and defaults of ``livecheck check``; those left out come from
    ``preset``, else from the defaults. Two engines of one version with the same settings give the same
    verdicts on one kind of processor. An engine can be pickled: what travels is its settings.
    """

    def __new__(
        cls,
        *,
        preset: Literal["convenience", "balanced", "strict"] | None = None,
        liveness_threshold: float | None = None,
        face_threshold: float | None = None,
        mask_threshold: float | None = None,
        review_threshold: float | None = None,
        min_image_side: int | None = None,
        min_face_side: int | None = None,
        max_file_bytes: int | None = None,
        max_pixels: int | None = None,
        calibration: str | os.PathLike[str] | None = None,
        runtime: Literal["auto", "embedded", "onnxruntime"] | None = None,
        onnxruntime: str | os.PathLike[str] | None = None,
        execution_provider: Literal["cuda", "tensorrt", "openvino", "coreml"] | None = None,
    ) -> Engine: ...
    @property
    def runtime(self) -> str:
        """Name and version of the inference runtime in force, such as ``"embedded 0.1.0"``."""

    def check(self, photo: bytes | bytearray | memoryview | None) -> Answer:
        """Judges one photo: the bytes of a JPEG, PNG or WebP file.

        Whatever the bytes are, the answer says what is wrong with them; nothing is raised for a photo.
        Other Python threads run meanwhile.
        """

    def check_many(
        self,
        photos: Iterable[bytes | bytearray | memoryview | None] | _ArrowArray | _ArrowStream,
        *,
        names: Iterable[str | os.PathLike[str] | None] | _ToList | None = None,
        threads: int | None = None,
    ) -> pyarrow.Table:
        """Judges many photos and returns a ``pyarrow.Table`` with one row for each, in their order.

        ``photos`` is an iterable of ``bytes``, which is read as the work goes on, or an Arrow column of
        binary values from any library that exports Arrow data, whose photos are not copied. ``None`` and
        null give a row with error code ``002``. ``names``, as many as photos, fill the columns ``file``
        and ``file_hex``. ``threads`` is by default the number of processors. Other Python threads run
        meanwhile; Ctrl-C stops the work after the photos in hand.

        The columns are those of ``livecheck check --format csv``.
        """

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, object]]:
        """For pickle."""
