"""Manifest to jobs, lazily, with ids from their content.

written            axes and prompts as a manifest writes them: lists, and forms
forms              ranges and draws (series, draws), variants, files (records)
axes, cells        the product: zip, exclude, include; nothing is rendered
filters, sampling  which combinations are meant, and which are drawn
repeats            how many of each
files              `{path: …}` among the values
expansion          the same for all specs of a manifest, with its size
lookalikes         values that are the same to a person
variables          the graph of `vars`
rendering          templates per cell
requests, checks   bodies, checked against their model's schema
verdicts           what is wrong with one of them, and where
attachments        local files in them
job, work, jobs    jobs with their identity, one at a time
moulds             jobs pressed from parts that were checked and encoded once
duplicates         jobs that ask for the same (fingerprints, distinct)
sizes              how large values may become
names, outputs     for people
"""

from __future__ import annotations

from foxbatch.matrix.expansion import MatrixCell, Prompt, cells
from foxbatch.matrix.job import Also, Job, Origin
from foxbatch.matrix.jobs import expand
from foxbatch.matrix.reporting import Report

__all__ = ["Also", "Job", "MatrixCell", "Origin", "Prompt", "Report", "cells", "expand"]
