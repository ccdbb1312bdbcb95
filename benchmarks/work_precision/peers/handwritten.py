"""Hand-written C++: handwritten.cpp, compiled here with -O3 -march=native. Both times are the program's own."""

import hashlib
import os
import pathlib
import subprocess
import tempfile

import numpy as np

from sparse_generator import stable_steps

from .interface import Method, Solution

SOURCE = pathlib.Path(__file__).with_name("handwritten.cpp")
FLAGS = ("-O3", "-march=native", "-std=c++17")


def program() -> pathlib.Path:
    """Compiled once per content of the source."""
    compiler = os.environ.get("CXX", "g++")
    key = hashlib.sha256(SOURCE.read_bytes() + " ".join((compiler, *FLAGS)).encode()).hexdigest()[:16]
    binary = pathlib.Path(tempfile.gettempdir()) / f"underdamp-handwritten-{key}"
    if not binary.exists():
        unfinished = binary.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(unfinished)], check=True)
        unfinished.rename(binary)
    return binary


def solve(problem, settings: dict) -> Solution:
    cells = tuple(settings["cells"])
    constants = (problem.stiffness, problem.friction, problem.diffusion, problem.until, *problem.theta, *problem.velocity)
    with tempfile.TemporaryDirectory() as name:
        initial, final = pathlib.Path(name) / "initial", pathlib.Path(name) / "final"
        problem.initial(cells).tofile(initial)
        command = [program(), settings["scheme"], *cells, settings["steps"], *constants, initial, final]
        output = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
        setup, seconds = map(float, output.split())
        return Solution(np.fromfile(final).reshape(cells), setup, seconds)


def settings_rk4(problem) -> list[dict]:
    """Square cells in units of the stationary deviations, and a sixth or a third fewer along v, where diffusion limits the step."""
    cells = {
        "ou-1": (32, 40, 48, 56, 64, 80, 88, 96, 112, 128, 144, 160, 176, 256, 320, 416, 448, 480, 512, 544, 576),
        "narrow": (72, 80, 96, 112, 128, 144, 160, 176, 192, 256, 320, 384, 448, 480, 512, 544, 576, 640),
    }[problem.name]
    shapes = [(n, 8 * round(n * ratio / 8)) for n in cells for ratio in (1.0, 0.85, 0.7)]
    return [
        {"scheme": "rk4", "cells": list(shape), "steps": int(factor * stable_steps(problem, shape, 4))}
        for shape in dict.fromkeys(shapes)
        for factor in (0.85, 0.93)
    ]


def settings_strang(problem) -> list[dict]:
    plans = {
        "ou-1": ((32, 96, 30), (48, 128, 50), (64, 128, 50), (64, 192, 60), (64, 256, 100), (96, 256, 100), (96, 384, 150), (128, 512, 200), (128, 768, 300), (160, 768, 300), (192, 1024, 600), (256, 1536, 800), (256, 2048, 1200), (320, 2048, 1000)),
        "narrow": ((128, 256, 50), (128, 384, 100), (192, 384, 100), (192, 512, 150), (256, 512, 200), (256, 768, 200), (384, 1024, 300), (384, 1536, 400), (512, 2048, 600), (768, 3072, 1000)),
    }[problem.name]
    return [{"scheme": "strang", "cells": [n, m], "steps": steps} for n, m, steps in plans]


METHODS = [
    Method("cpp-rk4", "C++, RK4, fourth-order differences", settings_rk4, solve, (({"scheme": "rk4", "cells": [64, 64], "steps": 160}, 3e-3),)),
    Method("cpp-strang", "C++, Strang, tridiagonal solves", settings_strang, solve, (({"scheme": "strang", "cells": [64, 256], "steps": 100}, 9e-3),)),
]
