"""Error and speed of evolutions on one core against exact Gaussians: the figures of docs/method.md and of the README.

usage: taskset -c 0 python measure_evolution.py UNDERDAMP [--output TABLE.md]

Needs numpy, scipy and vtk. UNDERDAMP is the program. Times are `solver_seconds` of summary.json, the best of five runs.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from scipy.linalg import expm, solve_continuous_lyapunov, solve_discrete_lyapunov
from vtk import vtkXMLImageDataReader
from vtk.util.numpy_support import vtk_to_numpy

SPEC = """
dynamics = "{dynamics}"
{process}
[loss]
kind = "quadratic"
hessian = {hessian}
{noise}
[grid]
cells = [{cells}, {cells}]
{box}
[initial]
kind = "gaussian"
mean = {mean}
covariance = {covariance}
[evolve]
{evolve}
[output]
fields = ["density"]
precision = "float64"
"""


def oscillator(zeta, until, cells, tolerance=1e-8, mean=(1.5, 0.0), covariance=((0.5, 0.1), (0.1, 0.6)), box=""):
    """The scaled oscillator: omega = 1, T = 1."""
    return {
        "dynamics": "langevin",
        "process": f"[langevin]\nfriction = {2 * zeta}\ntemperature = 1.0",
        "hessian": 1.0,
        "noise": "",
        "cells": cells,
        "box": box,
        "mean": list(mean),
        "covariance": [list(row) for row in covariance],
        "evolve": f"until = {until}\ntolerance = {tolerance}",
        "drift": np.array([[0.0, -1.0], [1.0, 2.0 * zeta]]),
        "noise_matrix": np.diag([0.0, 2.0 * zeta]),
        "until": until,
    }


def ou1(cells, tolerance=1e-8, step=None):
    """The reference problem of validation/cases/ou-1.toml: k h = 20, gamma = 1, D = 1."""
    return {
        "dynamics": "langevin",
        "process": "[langevin]\nfriction = 1.0\ntemperature = 1.0",
        "hessian": 20.0,
        "noise": "",
        "cells": cells,
        "box": "theta = [-1.5, 1.5]\nvelocity = [-7.0, 7.0]",
        "mean": [0.5, 0.0],
        "covariance": [[0.01, 0.0], [0.0, 0.2]],
        "evolve": "until = 1.0\n" + (f"step = {step}" if step else f"tolerance = {tolerance}"),
        "drift": np.array([[0.0, -1.0], [20.0, 1.0]]),
        "noise_matrix": np.diag([0.0, 1.0]),
        "until": 1.0,
    }


def heavy_ball(beta, cells, eta=0.3, steps=300, batch=8):
    """The discrete map with h = 1 and unit gradient noise."""
    return {
        "dynamics": "sgd",
        "process": f"[optimizer]\nlearning_rate = {eta}\nmomentum = {beta}\nbatch_size = {batch}",
        "hessian": 1.0,
        "noise": '[noise]\nkind = "isotropic"\nsigma2 = 1.0',
        "cells": cells,
        "box": "",
        "mean": [0.8, 0.0],
        "covariance": [[0.05, 0.01], [0.01, 0.2]],
        "evolve": f"steps = {steps}",
        "map": np.array([[1.0 - eta, eta * beta], [-1.0, beta]]),
        "added": np.outer([eta, 1.0], [eta, 1.0]) / batch,
        "steps": steps,
    }


def exact_state(case):
    mean, covariance = np.array(case["mean"]), np.array(case["covariance"])
    if "map" in case:
        power = np.linalg.matrix_power(case["map"], case["steps"])
        stationary = solve_discrete_lyapunov(case["map"], case["added"])
    else:
        power = expm(-case["drift"] * case["until"])
        stationary = solve_continuous_lyapunov(case["drift"], 2.0 * case["noise_matrix"])
    return power @ mean, stationary + power @ (covariance - stationary) @ power.T


def density_of(file):
    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(file))
    reader.Update()
    image = reader.GetOutput()
    columns, rows = (n - 1 for n in image.GetDimensions()[:2])
    origin, spacing = image.GetOrigin(), image.GetSpacing()
    theta = origin[0] + (np.arange(columns) + 0.5) * spacing[0]
    v = origin[1] + (np.arange(rows) + 0.5) * spacing[1]
    return theta, v, vtk_to_numpy(image.GetCellData().GetArray("density")).reshape(rows, columns)


def measure(program, folder, name, case):
    spec = folder / "case.toml"
    spec.write_text(SPEC.format(**case))
    best = None
    for _ in range(5):
        subprocess.run([program, "run", str(spec), "--quiet", "--device", "host", "--output", str(folder / "out")], check=True)
        summary = json.loads((folder / "out/summary.json").read_text())
        if best is None or summary["solver_seconds"] < best["solver_seconds"]:
            best = summary
    theta, v, density = density_of(sorted((folder / "out").glob("density_*.vti"))[-1])
    mean, covariance = exact_state(case)
    z = np.stack(np.meshgrid(theta, v), axis=-1) - mean
    exact = np.exp(-0.5 * np.einsum("...a,ab,...b", z, np.linalg.inv(covariance), z))
    exact /= 2.0 * np.pi * np.sqrt(np.linalg.det(covariance))
    l1 = np.abs(density - exact).sum() * (theta[1] - theta[0]) * (v[1] - v[0])
    relative = np.abs(np.array(best["covariance"]) - covariance).max() / np.abs(covariance).max()
    return (
        f"| {name} | {case['cells']}² | {l1:.1e} | {relative:.1e} | {best['time_error_estimate']:.1e} | "
        f"{best['space_error_estimate']:.1e} | {best['solver_seconds'] * 1e3:.3g} | {best['cell_steps_per_second'] / 1e6:.0f} | "
        f"{abs(best['mass'] + sum(best['leak'].values()) - 1.0):.0e} |"
    ), best


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--output", type=pathlib.Path)
    arguments = parser.parse_args()
    program = str(pathlib.Path(arguments.program).resolve())
    cases = [("OU-1, tolerance 1e-8", ou1(n)) for n in (64, 96, 128)]
    cases += [(f"OU-1, tolerance {t:g}", ou1(80, t)) for t in (1e-4, 1e-5)]
    cases += [(f"ζ = {z}, t = 6", oscillator(z, 6.0, 128)) for z in (0.3, 1.0, 3.0)]
    cases += [("ζ = 0.05, three periods", oscillator(0.05, 6.0 * np.pi, 128))]
    cases += [(f"SGD map, 300 steps, β = {b}", heavy_ball(b, 128)) for b in (0.9, 0.5, 0.0)]
    cases += [("fixed step 0.025", ou1(n, step=0.025)) for n in (128, 512, 1024)]
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for title, case in cases:
            row, best = measure(program, pathlib.Path(name), title, case)
            rows.append(row)
    text = [
        f"# Evolution on one core, {datetime.date.today()}",
        "",
        f"underdamp {best['version']}, commit {best['commit']}; {processor()}; {best['device']}.",
        "Command: `taskset -c 0 python benchmarks/evolution/measure_evolution.py build/bin/underdamp`.",
        "Errors are against the exact Gaussian at the cell centres; the estimates are those the run reports.",
        "",
        "| case | cells | L1 error | covariance error | step estimate | grid estimate | solver ms | 10⁶ cell-steps/s | mass balance |",
        "|---|---|---|---|---|---|---|---|---|",
        *rows,
    ]
    result = "\n".join(text) + "\n"
    if arguments.output:
        arguments.output.write_text(result)
    else:
        print(result)


if __name__ == "__main__":
    main()
