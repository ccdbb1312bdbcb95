"""What every solver of the comparison offers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


class Solution(NamedTuple):
    density: np.ndarray  #: at the cell centres at `problem.until`, [n_theta, n_v]
    seconds_setup: float  #: assembly, factorisation, plans, meshes: what a second run with the same settings would reuse
    seconds_solve: float  #: time stepping
    details: dict[str, Any] = {}


@dataclass(frozen=True)
class Method:
    name: str  #: on the command line and in the JSON file
    title: str  #: in the tables and the plot
    settings: Callable[[Any], list[dict]]  #: problem -> what to try, from coarse to fine
    solve: Callable[[Any, dict], Solution]
    trials: tuple[tuple[dict, float], ...]  #: settings and the L1 error that they stay below on OU-1: `compare.py check`
