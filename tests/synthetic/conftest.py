from tests.datasets.conftest import tracklet  # noqa: F401
