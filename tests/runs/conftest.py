import pytest

from ssn3d.training import reid


@pytest.fixture
def trainings(monkeypatch) -> list[int]:
    """Seeds of the runs that were trained."""
    seeds = []
    fit = reid.fit

    def watched(config, *arguments, **options):
        seeds.append(config.seed)
        return fit(config, *arguments, **options)

    monkeypatch.setattr(reid, "fit", watched)
    return seeds
