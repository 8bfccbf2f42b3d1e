"""Step generators at the level of requests: a whole batch from its first step to its last, on brood's own step graphs.

A batch is as long as its longest request, and rows that are finished are carried along; where requests of equal steps
only share batches (keyed), every row is of that length. Noise is drawn by numpy, all of a request's at once, from its
seed, and only where the sampler uses any. Needs numpy alone; sessions are given.

A walk's JSON, beside an ``.npz`` of the same name with the numbers of each kind of request: see `peers.programs`.
"""

import json
from pathlib import Path

import numpy as np

REQUEST = ("kind", "seed", "label")  # a request: int64 [3]


class Walk:
    """One operation of a bundle.

    Args:
        file: its JSON.
        session_of: makes an ONNX Runtime session of a file.
        rows: most of one batch.
    """

    def __init__(self, file, session_of, rows):
        self._words = json.loads(Path(file).read_text())
        self._session, self._rows = session_of(self._words["graph"]), rows
        with np.load(Path(file).with_suffix(".npz")) as tables:
            self._tables = {name: tables[name] for name in tables.files}
        output = self._words["output"]
        sources = [each["from"] for each in self._states.values() if each["from"]]
        self._outputs = list(dict.fromkeys([*sources, output["from"]]))
        self.taken = ("request", (len(REQUEST),), np.dtype(np.int64))
        self.given = (output["name"], tuple(output["shape"]), np.dtype(output["dtype"]))

    def __call__(self, requests):
        """Rows of samples, in batches of at most so many rows."""
        requests = np.asarray(requests)
        parts = [self._batch(requests[first : first + self._rows]) for first in range(0, len(requests), self._rows)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def examples(self, rows):
        """Requests of the kind with most steps, whose labels and seeds differ."""
        longest = max(range(self._words["kinds"]), key=self.steps)
        return np.stack([(longest, seed, seed % self._words["labels"]) for seed in range(rows)]).astype(np.int64)

    def steps(self, kind):
        """How many a request of a kind takes."""
        return int(self._tables[f"{kind}.steps"])

    @property
    def _states(self):
        return self._words["states"]

    def _batch(self, requests):
        kinds = [int(kind) for kind in requests[:, 0]]
        steps = [self.steps(kind) for kind in kinds]
        rngs = [np.random.default_rng(int(seed)) for seed in requests[:, 1]]
        inputs = {name: self._first(spec, kinds, rngs) for name, spec in self._states.items()}
        inputs |= {name: self._fixed(spec, requests) for name, spec in self._words["fixed"].items()}
        columns = {name: self._column(name, dtype, kinds, max(steps)) for name, dtype in self._words["columns"].items()}
        columns |= {
            name: self._noise(name, spec, kinds, max(steps), rngs) for name, spec in self._words["noise"].items()
        }
        made = np.empty((len(requests), *self.given[1]), self.given[2])
        for step in range(max(steps)):
            inputs.update({name: column[step] for name, column in columns.items()})
            found = dict(zip(self._outputs, self._session.run(self._outputs, inputs), strict=True))
            inputs.update({name: found[spec["from"]] for name, spec in self._states.items() if spec["from"]})
            ends = [row for row, last in enumerate(steps) if last == step + 1]
            made[ends] = found[self._words["output"]["from"]][ends]
        return made

    def _first(self, spec, kinds, rngs):
        """A state before the first step: noise, scaled as the kind says, or zeros."""
        state = np.zeros((len(kinds), *spec["shape"]), spec["dtype"])
        if spec["first"] != "zeros":
            scales = [float(self._tables[f"{kind}.scale"]) if spec["scaled"] else 1.0 for kind in kinds]
            for row, (rng, scale) in enumerate(zip(rngs, scales, strict=True)):
                state[row] = scale * drawn(rng, spec["first"], spec["shape"])
        return state

    def _fixed(self, spec, requests):
        """What stays as it is: the label, a parameter of the kind, or a constant."""
        if spec["is"] == "label":
            values = requests[:, 2]
        elif spec["is"] == "param":
            values = np.array([self._tables[f"{kind}.{spec['param']}"] for kind in requests[:, 0]])
        else:
            return np.full((len(requests), *spec["shape"]), spec["value"], spec["dtype"])
        return np.ascontiguousarray(values.astype(spec["dtype"]))

    def _column(self, name, dtype, kinds, steps):
        """[steps, rows, ...] of the schedules; behind its end, a row's last numbers again."""
        tables = [self._tables[f"{kind}.{name}"] for kind in kinds]
        padded = [table[np.minimum(np.arange(steps), len(table) - 1)] for table in tables]
        return np.ascontiguousarray(np.stack(padded, 1).astype(dtype))

    def _noise(self, name, spec, kinds, steps, rngs):
        """[steps, rows, ...]; zeros where the schedule would multiply it by zero, and behind a row's end."""
        noise = np.zeros((steps, len(kinds), *spec["shape"]), np.float32)
        for row, (kind, rng) in enumerate(zip(kinds, rngs, strict=True)):
            used = np.flatnonzero(self._tables[f"{kind}.{name}.used"])
            if len(used):
                noise[used, row] = drawn(rng, spec["distribution"], (len(used), *spec["shape"]))
        return noise


def drawn(rng, distribution, shape):
    """Normal or uniform numbers."""
    shape = tuple(shape)
    return rng.standard_normal(shape, np.float32) if distribution == "normal" else rng.random(shape, np.float32)
