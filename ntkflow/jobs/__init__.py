"""The process around a script: log, device, provenance, checkpoints, code that a job depends on."""
