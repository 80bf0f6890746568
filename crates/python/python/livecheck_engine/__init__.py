"""Passive face liveness: image bytes in, verdict out, without a server and without a network.

>>> import livecheck_engine
>>> engine = livecheck_engine.Engine()
>>> engine.check(b"not a photo").error_code
'002'
>>> engine.check_many([b"not a photo", None])["error_code"].to_pylist()
['002', '002']
"""

from livecheck_engine._native import Answer, Engine, __version__

__all__ = ["Answer", "Engine", "__version__"]
