from ssn3d.datasets.identity import digest


def test_a_digest_is_eight_digits_and_ignores_the_order_of_keys():
    assert digest({"a": 1, "b": [2.5, None]}) == digest({"b": [2.5, None], "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
    assert len(digest("")) == 8
