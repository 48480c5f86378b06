"""Plays the script: what each step does with the programs.

It imports no ``checks``: it finds only whether a step can go on.
"""
