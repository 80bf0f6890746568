"""Data to models: trains, evaluates and exports the networks that Livecheck ships.

Start at ``data.py`` (where images and labels come from); each network has a
folder with a command of its own, for instance ``python -m livecheck_training.detector``.
"""
