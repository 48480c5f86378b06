"""Grading: from an assignment and a class of submissions to a grade book and feedback.

``reading`` reads ``assignment.yaml``, ``intake`` finds the submissions, ``unit`` grades one of them,
``batch`` all of them with the processes of ``pool``, ``results`` writes what came of it.

The journal is the truth: whatever else is written can be made again from it and from the records. This room
does not import ``cli``.
"""
