"""Continuous training: rules under ``retrain:`` that end in a prepared request, which a person signs or not.

A condition is due, every guard is green: a sweep over the champion's space trains on the version of the data
that is there; the best run is held against who holds the stage, on the newest labelled rows, which neither
learned. What comes of it is kept as an annotation of the challenger's run. Nothing here signs, requests or
promotes.
"""
