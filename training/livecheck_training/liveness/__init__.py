"""Liveness net, context branch. Run `python -m livecheck_training.liveness`.

It learns P(live) from the Silent-Face pair by distillation on widely varied views
(function matching: Beyer et al., https://arxiv.org/abs/2106.05237), and print against
screen from synthetic presentations and photographed screens. `scenes.py` gathers
pictures with faces, `views.py` turns them into training views, `generate.py` keeps
making them, `train.py` learns from them, `calibrate.py` and `evaluate.py` follow.
"""
