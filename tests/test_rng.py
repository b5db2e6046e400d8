import torch

from ssn3d.rng import between, stream, uniform


def drawn(*key: int | str) -> list[float]:
    return torch.rand(4, generator=stream(*key)).tolist()


def test_one_key_draws_the_same_numbers_whenever_it_is_asked():
    first = drawn("identities", 3, 7)
    drawn("identities", 3, 8)
    assert drawn("identities", 3, 7) == first


def test_other_keys_draw_other_numbers():
    keys = [(), (0,), (1,), (0, 0), (0, 1), (1, 0), (10,), (1, 0, 0), ("a",), ("a", 0), ("0",)]
    assert len({tuple(drawn(*key)) for key in keys}) == len(keys)


def test_generators_and_the_global_seed_do_not_touch_each_other():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        first, state = drawn(5), torch.get_rng_state()
        torch.manual_seed(2)
        assert drawn(5) == first
        torch.manual_seed(1)
        assert torch.equal(torch.get_rng_state(), state)


def test_uniform_draws_one_number_between_its_bounds():
    shares = torch.rand(100, generator=stream("uniform")).tolist()
    rng = stream("uniform")
    found = [uniform(-2, 3, rng) for _ in shares]
    assert found == [between(-2, 3, share) for share in shares] == [-2 + 5 * x for x in shares]
