r"""The record of a run: a folder from which it can be judged again anywhere.

::

    runs/20261120-200401-multi_client-3f2a9c01/
      scenario.json       the scenario in its normal form
      transcript.jsonl    an event a line (lab.evidence.transcript), then a closing line
      sockets.jsonl       a sample a line (lab.evidence.sockets), then a closing line
      datagrams.jsonl     the same of UDP sockets
      processes.jsonl     the same of processes (lab.evidence.processes)
      situation.jsonl     what every program was doing when the script broke off (lab.evidence.situation)
      files.jsonl         the files that checks look at (lab.evidence.files), file-N.bin what is kept of each
      capture.pcap        every frame where it entered and left the switch; loopback-HOST.pcap where asked for
      by-hand.pcap        what was sent after the script in a lab that stayed up; no evidence
      run.json            lab.evidence.evidence.RunInfo
      verdict.json        what became of each check

``run.json`` says the ``format`` of all these files. JSON is ASCII without lone surrogates: a text with bytes
that are no UTF-8 is ``{"escaped": "caf\\xe9"}`` (lab.evidence.record.codec). Whoever reads a record trusts
nothing in it: another person may have made it.
"""

from lab.evidence.record.reading import is_recorded, read, read_transcript
from lab.evidence.record.writing import write, write_verdict

__all__ = ["is_recorded", "read", "read_transcript", "write", "write_verdict"]
