"""The face refiner: a second look at every face that the detector proposes.

`python -m livecheck_training.refiner train|export`; what detector and refiner find
together is measured by `python -m livecheck_training.detector evaluate`.
"""
