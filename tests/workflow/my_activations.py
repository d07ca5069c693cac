"""An activation of a user, for networks.yaml."""


def cubic(z):
    return z + z**3 / 10
