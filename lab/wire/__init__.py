"""Capture files to segments, and segments to connections. It imports ``core`` alone: any capture is read."""
