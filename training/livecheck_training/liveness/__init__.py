"""The two small liveness nets, which judge small photos and teach the others (`threeview`). Run `python -m livecheck_training.liveness`.

The context net learns P(live) from the Silent-Face pair by distillation on widely varied
views (function matching: Beyer et al., https://arxiv.org/abs/2106.05237), and print against
screen from synthetic presentations and photographed screens. The grain net learns what the
pair's first net computes on the same pixels (`grain.py`). `scenes.py` gathers pictures with
faces, `views.py` turns them into training views, `generate.py` keeps making them, `train.py`
and `tune.py` learn from them; `grain_views.py` and `grain_train.py` do so for the grain net.
`scorer.py` runs both, `calibrate.py` joins their margins, `evaluate.py` measures the Silent-Face pair.
"""
