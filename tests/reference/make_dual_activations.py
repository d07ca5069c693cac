"""Writes dual_activations.json: E[sigma(u) sigma(v)] and E[sigma'(u) sigma'(v)] as plain integrals.

python tests/reference/make_dual_activations.py, a few minutes. (u, v) is Gaussian with variances q
and q' and covariance c. With u = sqrt(q) z and v = (c / sqrt(q)) z + sqrt(q' - c^2 / q) w, the
integral over w splits where v = 0 and the one over z where z = 0, the kinks of ReLU and its kin.
Gauss-Legendre in mpmath at 20 digits; activations and derivatives as in a textbook, not as in
ntkflow. Stored to 17 digits, each with the integrator's own estimate of its error.
"""

import json
from pathlib import Path

from mpmath import mp, mpf

mp.dps = 20
CUT = 10  # standard deviations; what lies beyond weighs 1e-22
CASES = ((1.0, 1.0, 0.3), (0.51, 0.51, -0.4), (2.0, 0.6, 0.9))
COEFFICIENTS = (0.3, -1.0, 0.5, 0.2)


def sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def density(z):
    return mp.exp(-(z**2) / 2) / mp.sqrt(2 * mp.pi)


def polynomial(z):
    return sum(mpf(a) * z**k for k, a in enumerate(COEFFICIENTS))


def polynomial_slope(z):
    return sum(k * mpf(a) * z ** (k - 1) for k, a in enumerate(COEFFICIENTS) if k)


FUNCTIONS = {
    "relu": (lambda z: max(z, mpf(0)), lambda z: mpf(z > 0)),
    "leaky_relu": (lambda z: z if z > 0 else mpf(0.1) * z, lambda z: mpf(1 if z > 0 else 0.1)),
    "abs": (abs, mp.sign),
    "identity": (lambda z: z, lambda z: mpf(1)),
    "erf": (mp.erf, lambda z: 2 / mp.sqrt(mp.pi) * mp.exp(-(z**2))),
    "gelu": (lambda z: z * mp.ncdf(z), lambda z: mp.ncdf(z) + z * density(z)),
    "sin": (mp.sin, mp.cos),
    "cos": (mp.cos, lambda z: -mp.sin(z)),
    "tanh": (mp.tanh, lambda z: mp.sech(z) ** 2),
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * sigmoid(-z)),
    "softplus": (lambda z: mp.log1p(mp.exp(z)), sigmoid),
    "silu": (lambda z: z * sigmoid(z), lambda z: sigmoid(z) + z * sigmoid(z) * sigmoid(-z)),
    "polynomial": (polynomial, polynomial_slope),
}
PARAMETERS = {"leaky_relu": {"slope": 0.1}, "polynomial": {"coefficients": COEFFICIENTS}}


def expectation(function, q, q_prime, c):
    """E[function(u) function(v)] and an estimate of its error."""
    q, q_prime, c = mpf(q), mpf(q_prime), mpf(c)
    slope, rest = c / mp.sqrt(q), mp.sqrt(q_prime - c**2 / q)

    def given(z):
        kink = min(max(-slope * z / rest, -CUT), CUT)
        inner = mp.quad(
            lambda w: function(slope * z + rest * w) * density(w),
            [-CUT, (kink - CUT) / 2, kink, (kink + CUT) / 2, CUT],
            method="gauss-legendre",
            maxdegree=5,
        )
        return function(mp.sqrt(q) * z) * density(z) * inner

    points = [-CUT, -3, 0, 3, CUT]
    return mp.quad(given, points, method="gauss-legendre", maxdegree=5, error=True)


def main():
    entries = []
    for name, functions in FUNCTIONS.items():
        for q, q_prime, c in CASES:
            values, errors = zip(
                *(expectation(function, q, q_prime, c) for function in functions), strict=True
            )
            entry = {"activation": name, "parameters": PARAMETERS.get(name, {})}
            entry |= {"q": q, "q_prime": q_prime, "c": c}
            entry |= dict(zip(("sigma", "slope"), map(float, values), strict=True))
            entries.append(entry | {"error": float(max(errors))})
            print(name, q, q_prime, c, entries[-1]["error"], flush=True)
    path = Path(__file__).with_name("dual_activations.json")
    path.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
