"""x0 and ε from whatever a network predicts."""

import numpy as np
import pytest

from brood.sampling.prediction import PREDICTIONS

LEVEL = np.array([0.001, 0.3, 0.5, 0.9999])


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_both_come_back_from_a_mixture(prediction: str) -> None:
    x0, noise = np.array([0.3, -2.0, 0.0, 1.0]), np.array([1.0, 0.5, -1.5, 0.2])
    signal, scale = np.sqrt(LEVEL), np.sqrt(1 - LEVEL)
    x = signal * x0 + scale * noise
    m = {"epsilon": noise, "v": signal * noise - scale * x0, "x0": x0}[prediction]
    p, q, u, w = PREDICTIONS[prediction](LEVEL)
    np.testing.assert_allclose(p * x + q * m, x0, atol=1e-12)
    np.testing.assert_allclose(u * x + w * m, noise, atol=1e-12)
