"""The figure that a program left open, as bare pixels: the trusted side makes a picture of them.

Nothing there has to parse what an untrusted process wrote. Drawn into memory, by Agg.
"""

import math
import struct
import sys
from collections.abc import Callable
from typing import Any

MAX_PIXELS = 1 << 20  # a larger figure is drawn smaller
SIZE = struct.Struct("=II")  # width and height, before the RGBA of each pixel


def load() -> None:
    """In the server: a program finds the library warm, and `show` says nothing."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.plot([1, 2, 3])
    pyplot.axis("off")  # no text: the file of a font stays open, and a program's process closes all
    _pixels(pyplot.gcf())
    pyplot.close("all")
    pyplot.show = lambda *_, **__: None


def drawer() -> Callable[[], bytes | None]:
    """Bound before untrusted code runs. What it returns gives the newest figure: None where there
    is none, nothing where it cannot be drawn."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")

    def draw() -> bytes | None:
        try:
            if pyplot is None or not pyplot.get_fignums():
                return None
            return _pixels(pyplot.gcf())
        except BaseException:  # the sandbox door: whatever the program made of the library
            return b""

    return draw


def _pixels(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    width, height = figure.get_size_inches()
    figure.set_dpi(min(figure.dpi, math.sqrt(MAX_PIXELS / (width * height))))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    columns, rows = canvas.get_width_height()
    return SIZE.pack(columns, rows) + bytes(canvas.buffer_rgba())
