"""The solvers of the comparison, one module each; `methods()` collects them."""

import importlib

from .interface import Method

MODULES = ("underdamp", "scipy_sparse", "fourier", "fipy_peer", "petsc", "handwritten")


def methods() -> dict[str, Method]:
    """All methods by name. Importing a module imports none of the heavy libraries: its `solve` does."""
    return {m.name: m for module in MODULES for m in importlib.import_module(f".{module}", __package__).METHODS}
