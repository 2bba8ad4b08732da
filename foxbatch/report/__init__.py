"""The gallery of one or more runs: one page that shows the matrix they came from.

Theory of operation
-------------------

`data` turns the records of runs into the few things a page needs, as plain values:
axes, cells that say at which value of each axis they stand, and the details of each
cell. `page` puts that into one HTML file together with the scripts and styles of the
folder `page/`. Nothing in the file is fetched from anywhere but the files of the runs
beside it, which are named relatively.

What runs and people have written (prompts, names, messages) travels as compressed
data, never as markup: the scripts show it as text.
"""

from __future__ import annotations

from foxbatch.report.data import RunOf, gallery
from foxbatch.report.page import write_page

__all__ = ["RunOf", "gallery", "write_page"]
