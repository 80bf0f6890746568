"""Perspective warps of whole pictures into a frame."""

from __future__ import annotations

import numpy as np
from PIL import Image


def homography(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The 3x3 map that takes four `source` points to four `target` points, each (4, 2)."""
    rows = []
    for (x, y), (u, v) in zip(source, target):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solution = np.linalg.solve(np.asarray(rows, np.float64), np.asarray(target, np.float64).reshape(-1))
    return np.append(solution, 1.0).reshape(3, 3)


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points of shape (n, 2)."""
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


def corners(width: float, height: float) -> np.ndarray:
    """Corners of a picture, clockwise from the top left."""
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def map_box(matrix: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The upright box of equal area and centre about the mapped box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    points = apply(matrix, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    middle = apply(matrix, np.array([((x0 + x1) / 2, (y0 + y1) / 2)]))[0]
    width = (np.linalg.norm(points[1] - points[0]) + np.linalg.norm(points[2] - points[3])) / 2
    height = (np.linalg.norm(points[3] - points[0]) + np.linalg.norm(points[2] - points[1])) / 2
    half = np.array([width, height]) / 2
    return np.concatenate([middle - half, middle + half])


def warp(picture: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The picture mapped by `matrix` into a frame of `size` = (width, height), and where it
    lies there (0..1, soft at its edge). Shrunk beforehand, so that it doesn't alias."""
    height, width = picture.shape[:2]
    placed = apply(matrix, corners(width, height))
    shrink = max(np.linalg.norm(placed[1] - placed[0]) / width, np.linalg.norm(placed[3] - placed[0]) / height)
    image = Image.fromarray(picture)
    if shrink < 0.8:
        small = (max(2, round(width * shrink)), max(2, round(height * shrink)))
        image = image.resize(small, Image.Resampling.BOX if shrink < 0.4 else Image.Resampling.BILINEAR, reducing_gap=2.0)
    to_picture = np.linalg.inv(matrix @ np.diag([width / image.width, height / image.height, 1.0]))
    coefficients = tuple((to_picture / to_picture[2, 2]).reshape(-1)[:8])
    inside = (placed[0] <= 0).all() and (placed[2] >= size).all() and abs(placed[1][1] - placed[0][1]) < 1e-6
    frame = np.asarray(image.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR))
    if inside and abs(placed[3][0] - placed[0][0]) < 1e-6:
        return frame, np.ones((size[1], size[0], 1), np.float32)
    # A picture of ones with a border of zeros gives the soft edge.
    cover = Image.new("L", image.size, 255)
    mask = cover.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    return frame, np.asarray(mask, np.float32)[..., None] / 255
