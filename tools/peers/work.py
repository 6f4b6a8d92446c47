"""What is measured of PyTorch."""

from dataclasses import dataclass
from typing import Callable

import torch


@dataclass
class Work:
    """Calls of `run` with functions that torch.compile may replace, and modules that it may compile in place."""

    run: Callable
    functions: tuple = ()
    modules: tuple = ()

    def can_be_compiled(self):
        return bool(self.functions or self.modules)

    def eager(self):
        self.run(*self.functions)

    def compiled(self, mode="default"):
        options = {} if mode == "default" else {"mode": mode + "-no-cudagraphs"}
        functions = [torch.compile(function, **options) for function in self.functions]
        for module in self.modules:
            module.compile(dynamic=False, **options)
        return lambda: self.run(*functions)
