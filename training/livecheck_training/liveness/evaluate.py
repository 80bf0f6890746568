"""The Silent-Face pair on a set that trains, selects and fits nothing.

Every image counts: the best face of YuNet (640) is taken whatever its score.
"""

from __future__ import annotations

import json
from pathlib import Path

from ..data import ImageSet, load_rgb
from ..teachers import SilentFacePair, YuNet

WEAKEST_FACE = 0.05


def peer_scores(pad: ImageSet, teachers: Path, cache: Path) -> dict[str, tuple[list[float], float]]:
    """Image to YuNet's best box and the pair's mean P(live); cached, as neither ever changes."""
    stored = cache / f"pad-dev-peer-{pad.manifest_sha256[:8]}.json"
    if stored.exists():
        return json.loads(stored.read_text())
    yunet, pair = YuNet(teachers, 640), SilentFacePair(teachers)
    out = {}
    for row in pad.rows:
        frame = load_rgb(pad.path(row["image"]))
        faces = yunet.detect(frame, WEAKEST_FACE)
        if len(faces):
            box = faces.boxes[int(faces.scores.argmax())].astype(float)
            out[row["image"]] = (box.tolist(), pair.live(frame, box))
    stored.write_text(json.dumps(out))
    return out
