"""The face refiner: a second look at the faces of the detector that are in doubt.

`python -m livecheck_training.refiner train|export`; what detector and refiner find
together is measured by `python -m livecheck_training.detector evaluate`.
"""
