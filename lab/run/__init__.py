"""One run from its file to its verdict, and what may be watched meanwhile. It prints nothing."""
