"""Face detector: 320 × 320 image to boxes, five landmarks and a score.

``model.py`` is the network, ``samples.py`` what it learns from, ``views.py`` how
those images are varied, ``loss.py`` what it is asked for, ``train.py`` the run,
``export.py`` the ONNX file, ``evaluate.py`` the figures in the model card.
"""
