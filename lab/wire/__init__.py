"""Capture files to segments, and segments to connections. It knows no scenario: any capture is read."""
