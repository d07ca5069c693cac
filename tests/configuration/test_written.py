"""What is found in a configuration as it is written."""

import pytest

from ntkflow.configuration.messages import ConfigurationError
from ntkflow.configuration.written import check_written

MERGED = b"""
experiments:
  bump: &probe
    measure: kernel_profile
    network: bump_3
  kink: {<<: *probe, network: relu_2}
"""


def test_what_is_merged_may_be_replaced():
    check_written(MERGED, "study.yaml")


def test_a_key_that_stands_twice_beside_a_merge_is_an_error():
    twice = MERGED.replace(b"network: relu_2}", b"network: relu_2, network: relu_3}")
    with pytest.raises(ConfigurationError, match=r"^study.yaml, line 6: network is in line 6 too"):
        check_written(twice, "study.yaml")
