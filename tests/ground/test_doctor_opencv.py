"""A folder named cv2 in front of the path stands for what is left of OpenCV after two packages overwrote each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# What the check sees where opencv-python came after opencv-contrib-python: `cv2.optflow` is still there, but empty.
CLOBBERED = {"__init__.py": "__version__ = '5.0.0'\nfrom cv2 import optflow\n", "optflow/__init__.py": ""}
WHOLE = {**CLOBBERED, "optflow/__init__.py": "def DualTVL1OpticalFlow_create(): ...\n"}
# Either package uninstalled: their shared files are gone, and what is left imports as an empty folder.
EMPTY = {"data/readme.txt": ""}

CODE = """
import json
from merprep import doctor
print(json.dumps(doctor._looked_at("OpenCV", doctor._opencv).as_json()))
"""


def seen(folder: Path, files: dict[str, str]) -> dict[str, str]:
    for name, text in files.items():
        (folder / "cv2" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "cv2" / name).write_text(text, encoding="utf-8")
    code = CODE
    if files is EMPTY:
        # A folder without __init__ yields to a whole package later on the path; there is none in that environment.
        code = "import sys, types; empty = types.ModuleType('cv2'); sys.modules['cv2'] = empty\n" + CODE
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize(("files", "found"), [(CLOBBERED, "without contrib modules"), (EMPTY, "empty folder")])
def test_an_overwritten_opencv_is_found_and_the_lines_that_mend_it_are_given(
    tmp_path: Path, files: dict[str, str], found: str
) -> None:
    check = seen(tmp_path, files)
    assert check["state"] == "wrong"
    assert found in check["found"]
    assert check["mend"].startswith("pip uninstall -y opencv-python opencv-python-headless && ")
    assert "--force-reinstall --no-deps opencv-contrib-python" in check["mend"]


def test_a_whole_opencv_is_fine(tmp_path: Path) -> None:
    assert seen(tmp_path, WHOLE)["state"] == "fine"
