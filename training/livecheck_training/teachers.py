"""Third-party networks, used as teachers in training and as peers in evaluation.

They are read from a folder given as an argument and are no part of the product.

- YuNet face detector, https://github.com/ShiqiYu/libfacedetection.train (Apache-2.0)
- Silent-Face pair, https://github.com/minivision-ai/Silent-Face-Anti-Spoofing (Apache-2.0)
- AIZOO face-mask detector, https://github.com/AIZOOTech/FaceMaskDetection (MIT)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image

from .crops import sampled_box

STRIDES = (8, 16, 32)


@dataclass(frozen=True)
class Faces:
    """Faces of one image, best first, in pixels of that image.

    ``boxes`` (n, 4) x0, y0, x1, y1; ``scores`` (n,); ``landmarks`` (n, 5, 2):
    left eye, right eye, nose, left and right mouth corner as seen in the image.
    """

    boxes: np.ndarray
    scores: np.ndarray
    landmarks: np.ndarray

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Faces:
        """Those with at least this score."""
        keep = self.scores >= threshold
        return Faces(self.boxes[keep], self.scores[keep], self.landmarks[keep])

    def closest(self, box: np.ndarray, least: float = 0.5) -> int | None:
        """Which of them overlaps a box most, at an IoU of at least `least`."""
        overlap = iou(np.asarray(box, np.float64), self.boxes.astype(np.float64))
        best = int(np.argmax(overlap)) if len(self) else -1
        return best if best >= 0 and overlap[best] >= least else None


def session(model: Path | bytes) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on one CPU thread, of a file or of its bytes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with many (n, 4)."""
    low = np.maximum(box[:2], boxes[:, :2])
    high = np.minimum(box[2:], boxes[:, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) + np.prod(box[2:] - box[:2])
    return inter / np.maximum(area - inter, 1e-9)


def containment(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The share of the smaller of both boxes that lies in the other, of one box (4,) and many (n, 4)."""
    inter = np.prod(np.clip(np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2]), 0, None), axis=1)
    smaller = np.minimum(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.prod(box[2:] - box[:2]))
    return inter / np.maximum(smaller, 1e-9)


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float, nested: float = 1.0) -> np.ndarray:
    """Greedy non-maximum suppression; indices of what stays, best first. Of two boxes that overlap by more
    than the IoU `threshold`, or one of which lies in the other by more than `nested`, the better one stays."""
    order = np.argsort(-scores, kind="stable")
    keep = []
    while len(order):
        best, order = order[0], order[1:]
        keep.append(best)
        apart = iou(boxes[best], boxes[order]) <= threshold
        order = order[apart & (containment(boxes[best], boxes[order]) <= nested)]
    return np.asarray(keep, dtype=np.int64)


class YuNet:
    """YuNet at a fixed input of ``size`` × ``size`` (320 or 640)."""

    def __init__(self, folder: Path, size: int = 640):
        self.size = size
        self._session = session(Path(folder) / f"yunet_n_{size}_{size}.onnx")
        self._names = [f"{k}_{s}" for k in ("cls", "obj", "bbox", "kps") for s in STRIDES]

    def dense(self, square: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scores (n,), boxes (n, 4), landmarks (n, 5, 2) of every cell of a
        ``size`` × ``size`` RGB image, strides 8, 16, 32, row-major in each."""
        blob = np.ascontiguousarray(square[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        out = dict(zip(self._names, self._session.run(self._names, {"input": blob})))
        scores, boxes, points = [], [], []
        for stride in STRIDES:
            n = self.size // stride
            rows, cols = np.mgrid[:n, :n].reshape(2, -1).astype(np.float32)
            cell = np.stack([cols, rows], 1)
            cls, obj = (np.clip(out[f"{k}_{stride}"][0, :, 0], 0, 1) for k in ("cls", "obj"))
            scores.append(np.sqrt(cls * obj))
            raw = out[f"bbox_{stride}"][0]
            centre, extent = (cell + raw[:, :2]) * stride, np.exp(raw[:, 2:]) * stride
            boxes.append(np.concatenate([centre - extent / 2, centre + extent / 2], 1))
            raw = out[f"kps_{stride}"][0].reshape(-1, 5, 2)
            points.append((cell[:, None] + raw) * stride)
        return np.concatenate(scores), np.concatenate(boxes), np.concatenate(points)

    def detect(
        self, image: np.ndarray, threshold: float = 0.6, overlap: float = 0.3, fill: float = 1.0
    ) -> Faces:
        """Faces of an RGB image of any size, scaled (also up) until its longer side
        fills this share of the input; zero padding at the right and bottom."""
        return self.detect_at(image, fill * self.size / max(image.shape[:2]), threshold=threshold, overlap=overlap)

    def detect_at(
        self,
        image: np.ndarray,
        scale: float,
        corner: tuple[int, int] = (0, 0),
        threshold: float = 0.6,
        overlap: float = 0.3,
    ) -> Faces:
        """Faces of an RGB image scaled by this factor, its top left at ``corner``
        (x, y) of the input; zeros around it. It must fit."""
        height, width = image.shape[:2]
        w, h = (max(1, int(v * scale + 0.5)) for v in (width, height))
        x, y = corner
        square = np.zeros((self.size, self.size, 3), np.uint8)
        square[y : y + h, x : x + w] = np.asarray(Image.fromarray(image).resize((w, h), Image.Resampling.BILINEAR))
        scores, boxes, points = self.dense(square)
        likely = np.flatnonzero(scores >= threshold)
        likely = likely[nms(boxes[likely], scores[likely], overlap)]
        back = np.array([width / w, height / h], np.float32)
        corner = np.array([x, y], np.float32)
        return Faces(
            (boxes[likely] - np.tile(corner, 2)) * np.tile(back, 2), scores[likely], (points[likely] - corner) * back
        )


def bilinear_resize(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bilinear samples without antialiasing, pixel centres at .5, rounded half up."""

    def taps(length: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        at = np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)
        low = np.floor(at).astype(np.int64)
        return low, np.minimum(low + 1, length - 1), (at - low).astype(np.float32)

    r0, r1, fr = taps(image.shape[0], height)
    c0, c1, fc = taps(image.shape[1], width)
    fr, fc = fr[:, None, None], fc[None, :, None]
    above = image[r0][:, c0] * (1 - fc) + image[r0][:, c1] * fc
    below = image[r1][:, c0] * (1 - fc) + image[r1][:, c1] * fc
    return np.floor(above * (1 - fr) + below * fr + 0.5).astype(np.uint8)


class SilentFacePair:
    """The Silent-Face pair; each net on its own crop of the same face."""

    #: File and crop scale of each net.
    NETS = (("2.7_80x80_MiniFASNetV2.onnx", 2.7), ("4_0_0_80x80_MiniFASNetV1SE.onnx", 4.0))
    SIZE = 80

    def __init__(self, folder: Path):
        self._nets = [(session(Path(folder) / file), scale) for file, scale in self.NETS]

    def logits(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Logits (2 nets, 3 classes) for a face box x0, y0, x1, y1; class 1 is live."""
        return np.stack(
            [
                self._run(net, self._crop(image, box, scale))
                for net, scale in self._nets
            ]
        )

    def live(self, image: np.ndarray, box: np.ndarray) -> float:
        """Mean P(live) of the two nets, the published decision value."""
        logits = self.logits(image, box)
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return float((odds[:, 1] / odds.sum(1)).mean())

    def _crop(self, image: np.ndarray, box: np.ndarray, scale: float) -> np.ndarray:
        height, width = image.shape[:2]
        x0, y0, x1, y1 = sampled_box((width, height), tuple(box), scale)
        return bilinear_resize(image[y0:y1, x0:x1], self.SIZE, self.SIZE)

    def _run(self, net: onnxruntime.InferenceSession, crop: np.ndarray) -> np.ndarray:
        # The published nets were trained on BGR in 0..255.
        blob = np.ascontiguousarray(crop[None, :, :, ::-1].transpose(0, 3, 1, 2), np.float32)
        return net.run(None, {net.get_inputs()[0].name: blob})[0][0]


class MiniFasNetSE:
    """MiniFASNetV2-SE at 128 px (johnraivenolazo/face-antispoof-onnx, Apache-2.0): the near view."""

    FILE, SIZE, FACTOR = "minifasnet_v2se_128.onnx", 128, 1.5

    def __init__(self, folder: Path):
        self._session = session(Path(folder) / self.FILE)
        self._input = self._session.get_inputs()[0].name

    def margin(self, image: np.ndarray, box: np.ndarray) -> float:
        """Logit of live over attack, for a face box x0, y0, x1, y1."""
        x0, y0, x1, y1 = (float(v) for v in box)
        side = max(1, round(self.FACTOR * max(x1 - x0, y1 - y0)))
        left, top = round((x0 + x1) / 2 - side / 2), round((y0 + y1) / 2 - side / 2)
        height, width = image.shape[:2]
        # The border reflects, as in the net's published preparation.
        columns = _reflected(np.arange(left, left + side), width)
        rows = _reflected(np.arange(top, top + side), height)
        kind = Image.Resampling.BOX if side > self.SIZE else Image.Resampling.LANCZOS
        crop = np.asarray(Image.fromarray(image[rows][:, columns]).resize((self.SIZE, self.SIZE), kind))
        blob = np.ascontiguousarray(crop.transpose(2, 0, 1)[None], np.float32) / 255
        live, attack = self._session.run(None, {self._input: blob})[0][0]
        return float(live - attack)


def _reflected(at: np.ndarray, side: int) -> np.ndarray:
    """Indices beyond an axis of `side` pixels, mirrored back inside without repeating the border."""
    if side == 1:
        return np.zeros_like(at)
    period = 2 * (side - 1)
    at = np.mod(at, period)
    return np.where(at >= side, period - at, at)



class FeatureTeacher:
    """The first net of the pair with what it computes on the way.

    ``MAPS`` names its tensors after the stem's activation and after each of its blocks,
    ``EMBEDDING`` the one before the last layer.
    """

    FILE = SilentFacePair.NETS[0][0]
    MAPS = (
        "t5",
        *("t23", "t37", "t51", "t65", "t79"),
        *("t92", "t106", "t120", "t134", "t148", "t162", "t176"),
        *("t189", "t203", "t217"),
    )
    EMBEDDING = "t229"
    #: Its classes are print, live, screen; ours live, print, screen.
    ORDER = (1, 0, 2)

    def __init__(self, folder: Path):
        model = onnx.load(Path(folder) / self.FILE)
        self._answer = model.graph.output[0].name
        for name in (*self.MAPS, self.EMBEDDING):
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
        self._net = session(model.SerializeToString())

    def run(self, crops: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """For RGB crops (n, 80, 80, 3), uint8: maps (n, channels, h, w), embeddings (n, 128),
        logits (n, 3) of live, print, screen."""
        blob = np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2), np.float32)
        names = [*self.MAPS, self.EMBEDDING, self._answer]
        *maps, embedding, logits = self._net.run(names, {self._net.get_inputs()[0].name: blob})
        return maps, embedding, logits[:, self.ORDER]


class Aizoo:
    """AIZOO's face-mask SSD detector at 260 × 260."""

    SIZE = 260
    MAPS = (33, 17, 9, 5, 3)
    ANCHORS = ((0.04, 0.056), (0.08, 0.11), (0.16, 0.22), (0.32, 0.45), (0.64, 0.72))
    RATIOS = (1.0, 0.62, 0.42)
    VARIANCES = np.array([0.1, 0.1, 0.2, 0.2], np.float32)

    def __init__(self, folder: Path):
        self._session = session(Path(folder) / "aizoo_260.onnx")
        self._anchors = self._all_anchors()

    def detect(
        self, image: np.ndarray, threshold: float = 0.5, overlap: float = 0.4
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Boxes (n, 4) in pixels, confidences (n,) and P(mask) among the two classes (n,)."""
        height, width = image.shape[:2]
        small = bilinear_resize(image, self.SIZE, self.SIZE).astype(np.float32) / 255
        blob = np.ascontiguousarray(small.transpose(2, 0, 1)[None])
        shifts, classes = self._session.run(None, {self._session.get_inputs()[0].name: blob})
        boxes = self._decode(shifts[0]) * np.array([width, height] * 2, np.float32)
        confidence = classes[0].max(1)
        likely = np.flatnonzero(confidence >= threshold)
        likely = likely[nms(boxes[likely], confidence[likely], overlap)]
        mask = classes[0, :, 0] / np.maximum(classes[0].sum(1), 1e-9)
        return boxes[likely], confidence[likely], mask[likely]

    def _decode(self, shifts: np.ndarray) -> np.ndarray:
        shifts = shifts * self.VARIANCES
        extent = self._anchors[:, 2:]
        centre = shifts[:, :2] * extent + self._anchors[:, :2]
        half = np.exp(shifts[:, 2:]) * extent / 2
        return np.concatenate([centre - half, centre + half], 1)

    def _all_anchors(self) -> np.ndarray:
        rows = []
        for cells, sizes in zip(self.MAPS, self.ANCHORS):
            # Both sizes at ratio 1, then the first size at the other ratios.
            shapes = [(s, s) for s in sizes]
            shapes += [(sizes[0] * r**0.5, sizes[0] / r**0.5) for r in self.RATIOS[1:]]
            centres = (np.arange(cells) + 0.5) / cells
            for y in centres:
                for x in centres:
                    rows += [(x, y, w, h) for w, h in shapes]
        return np.asarray(rows, np.float32)
