"""The meaning of a bundle: how names resolve, and what running one row yields."""

from brood.program.compile import (
    Constant,
    FromInput,
    FromNoise,
    FromParam,
    FromSchedule,
    FromState,
    Program,
    compile_program,
)
from brood.program.interpret import run_row

__all__ = [
    "Constant",
    "FromInput",
    "FromNoise",
    "FromParam",
    "FromSchedule",
    "FromState",
    "Program",
    "compile_program",
    "run_row",
]
