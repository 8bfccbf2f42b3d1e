"""What has happened at one ingress."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Tally:
    """Counts since the start."""

    submitted: int = 0  # requests
    chunks: int = 0  # sent to workers, all tries
    lost_workers: int = 0  # links that broke while their worker was not draining
    resubmitted_rows: int = 0  # rows that were sent again because their worker was lost
    duplicates: int = 0  # samples that came twice and were dropped
    given_up: int = 0  # requests that failed because worker after worker was lost with them
    refused: int = 0  # requests refused here, before any worker was asked
