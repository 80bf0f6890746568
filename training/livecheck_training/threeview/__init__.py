"""The views net: one trunk that sees a face at three scales, taught by labels of real cameras.

`frames.py` gathers labelled frames (webcams, photographed screens, bona fide pictures) and simulated
presentations with the teachers' answers; `disturb.py` changes light, colour, sharpness and noise;
`train.py` fine-tunes the net, source-balanced, and leaves sources out; `fuse.py` joins its margins with
the other liveness nets' and fits the scale on sources left out. `python -m livecheck_training.threeview`.
"""
