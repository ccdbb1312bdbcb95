"""This product: `underdamp run`, one core. seconds_solve is `solver_seconds` of summary.json, which holds everything between the
start's values and the final density (tables of weights included); `wall_seconds` is the whole process with its output."""

import json
import os
import pathlib
import subprocess
import tempfile
import time

from .interface import Method, Solution

SPEC = """
[langevin]
friction = {friction}
temperature = {temperature}
[loss]
kind = "quadratic"
hessian = {stiffness}
[grid]
cells = [{cells[0]}, {cells[1]}]
theta = [{theta[0]}, {theta[1]}]
velocity = [{velocity[0]}, {velocity[1]}]
[initial]
kind = "gaussian"
mean = [{mean_theta}, {mean_v}]
covariance = [[{variance_theta!r}, 0.0], [0.0, {variance_v!r}]]
[evolve]
until = {until}
tolerance = {tolerance}
[output]
fields = ["density"]
precision = "float64"
"""


def density_of(file: pathlib.Path):
    """The array `density` of a .vti, [n_theta, n_v]."""
    from vtk import vtkXMLImageDataReader
    from vtk.util.numpy_support import vtk_to_numpy

    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(file))
    reader.Update()
    image = reader.GetOutput()
    columns, rows = (n - 1 for n in image.GetDimensions()[:2])
    return vtk_to_numpy(image.GetCellData().GetArray("density")).reshape(rows, columns).T.copy()


def write_spec(problem, cells, tolerance: float, file: pathlib.Path) -> None:
    temperature = problem.diffusion / problem.friction
    file.write_text(SPEC.format(**vars(problem), temperature=temperature, cells=cells, tolerance=tolerance))


def run(problem, cells, tolerance: float, device: str) -> Solution:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_spec(problem, cells, tolerance, folder / "case.toml")
        program = os.environ.get("UNDERDAMP_PROGRAM", "underdamp")
        command = [program, "run", folder / "case.toml", "--quiet", "--device", device, "--output", folder / "out"]
        begin = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        wall = time.perf_counter() - begin
        summary = json.loads((folder / "out/summary.json").read_text())
        density = density_of(sorted((folder / "out").glob("density_*.vti"))[-1])
    keys = ("version", "commit", "device", "steps", "windows", "time_error_estimate", "space_error_estimate")
    return Solution(density, 0.0, summary["solver_seconds"], {"wall_seconds": wall} | {key: summary[key] for key in keys})


def solve(problem, settings: dict) -> Solution:
    return run(problem, settings["cells"], settings["tolerance"], "host")


def settings(problem) -> list[dict]:
    cells = {"ou-1": (20, 24, 28, 32, 36, 40, 48, 56, 64, 72, 80, 96), "narrow": (48, 56, 64, 80, 96, 112, 128, 160, 192, 224)}[problem.name]
    tolerances = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
    return [{"cells": [n, n], "tolerance": tolerance} for n in cells for tolerance in tolerances]


METHODS = [Method("underdamp", "underdamp", settings, solve, (({"cells": [64, 64], "tolerance": 1e-5}, 1e-6),))]
