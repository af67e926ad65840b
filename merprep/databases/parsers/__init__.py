"""Workbooks that are more than one table with a header: one module each, named by a description's `sheet.parser`.

A parser offers ``read(path, pages, spec) -> CodingSheet``; `pages` are the workbook's sheets that are not empty, those
that the description names first.
"""
