"""Mask net: does the face wear a face mask? Run `python -m livecheck_training.mask`.

`samples.py` gathers faces and landmarks, `augment.py` varies them, `net.py` is the
net, `train.py` and `evaluate.py` do what they say.
"""
