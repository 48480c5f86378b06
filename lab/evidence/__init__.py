"""What was observed in a run, as data, and the record on disk that holds it. It judges nothing."""
