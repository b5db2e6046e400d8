"""Widgets for notebooks: look at what networks see, and label pictures.

`explorer.Explorer` shows where trained networks see the parts of a person, frame by frame and side
by side; `annotator` takes labels of body points by click.  They need the extra `notebooks`, and
train nothing.
"""
