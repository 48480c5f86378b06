"""Plays the script: ``actions`` are what a step can do, each with its keys of the language.

It imports no ``checks``: it finds only whether a step can go on.
"""
