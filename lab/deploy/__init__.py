"""A lab on this machine: planned, built, up, and down again. It does not know what is said in it."""
