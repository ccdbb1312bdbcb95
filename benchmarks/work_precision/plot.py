"""The work-precision plot: error over time, the best settings of every method.

usage: python plot.py STORE.json FIGURE       writes FIGURE.svg and FIGURE.png
"""

import json
import math
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from compare import LEVELS, frontier
from peers import methods
from problems import PROBLEMS

# Okabe and Ito's colours, told apart by colour-blind readers; second-order variants are dashed with open markers.
STYLES = {
    "underdamp": ("#000000", "o", "-"),
    "scipy-expm-2": ("#0072B2", "v", "--"),
    "scipy-expm-4": ("#0072B2", "v", "-"),
    "scipy-cn-2": ("#56B4E9", "^", "--"),
    "scipy-cn-4": ("#56B4E9", "^", "-"),
    "fourier-rk4": ("#D55E00", "s", "-"),
    "fourier-split": ("#E69F00", "D", "-"),
    "fipy": ("#CC79A7", "P", "--"),
    "petsc-2": ("#009E73", "<", "--"),
    "petsc-4": ("#009E73", "<", "-"),
    "cpp-rk4": ("#7F6A00", "X", "-"),
    "cpp-strang": ("#999999", ">", "--"),
}


def draw(axes, problem, records) -> None:
    for name, method in methods().items():
        good = [r for r in records if (r["method"], r["problem"]) == (name, problem.name) and r.get("error", math.inf) < 0.3]
        front = frontier(good)
        if not front:
            continue
        colour, marker, line = STYLES[name]
        axes.loglog(
            [r["seconds"] for r in front],
            [r["error"] for r in front],
            color=colour,
            marker=marker,
            linestyle=line,
            linewidth=2.6 if name == "underdamp" else 1.4,
            markersize=5,
            markerfacecolor="white" if line == "--" else colour,
            label=method.title,
            zorder=3 if name == "underdamp" else 2,
        )
    for level in LEVELS:
        axes.axhline(level, color="#cccccc", linewidth=0.8, zorder=0)
    axes.set_ylim(1e-8, 0.3)
    axes.set_title(f"{problem.title}, t = {problem.until:g}")
    axes.set_xlabel("set-up + stepping on one core, seconds")
    axes.grid(True, axis="x", color="#eeeeee")


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    store = json.loads(pathlib.Path(sys.argv[1]).read_text())
    figure, panels = plt.subplots(1, len(PROBLEMS), figsize=(12.5, 5.2), sharey=True, layout="constrained")
    for axes, problem in zip(panels, PROBLEMS.values()):
        draw(axes, problem, store["measurements"])
    panels[0].set_ylabel("L1 error at the cell centres")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=10)
    target = pathlib.Path(sys.argv[2])
    plt.rcParams |= {"svg.hashsalt": "underdamp", "svg.fonttype": "none"}
    figure.savefig(target.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(target.with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
