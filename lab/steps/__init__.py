"""Plays the script: what each step does with the programs. It judges only whether a step can go on."""
