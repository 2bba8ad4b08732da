"""Manifest to jobs, lazily, with ids from their content.

axes, cells        the product: zip, exclude, include; nothing is rendered
expansion          the same for all specs of a manifest, with its size
lookalikes         values that are the same to a person
variables          the graph of `vars`
rendering          templates per cell
requests, jobs     bodies, checked against their model's schema; identities
sizes              how large values may become
names, outputs     for people
"""

from __future__ import annotations

from foxbatch.matrix.expansion import MatrixCell, Prompt, cells
from foxbatch.matrix.jobs import Job, Origin, expand
from foxbatch.matrix.reporting import Report

__all__ = ["Job", "MatrixCell", "Origin", "Prompt", "Report", "cells", "expand"]
