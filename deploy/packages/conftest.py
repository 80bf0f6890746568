"""The helpers that start a real server lie with the clients."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients" / "testing"))
