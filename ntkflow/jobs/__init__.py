"""The process around a rule's script: the resources it requests and the workers that compute."""
