"""What every other folder may use: errors, words of TCP, limits, text, files. It imports none of them."""
