import pytest
from IPython.core.interactiveshell import InteractiveShell

from ssn3d import losses
from ssn3d.reproduce import notebook

CELL = 'scale: str = "demo"  # how large\nseeds: int = 3\nweight: float = 0.1\nfast: bool = False\n'


@pytest.fixture
def shell(monkeypatch):
    """A stand-in for a kernel that has run some cells."""

    class Shell:
        def run(self, *cells: str) -> None:
            self.user_ns = {"In": ["", *cells]}
            for cell in cells:
                exec(cell, self.user_ns)

    shell = Shell()
    monkeypatch.setattr(notebook, "get_ipython", lambda: shell)
    monkeypatch.delenv("SSN3D_SCALE", raising=False)
    assert InteractiveShell  # the attribute that is stood in for exists
    return shell


def test_declared_values_pass(shell):
    shell.run(CELL)
    notebook.check_parameters(scale=("smoke", "demo"), seeds=range(1, 5))


def test_an_unknown_parameter_is_named_with_the_nearest(shell):
    shell.run(CELL, "# Parameters\nseed = 1\n")
    with pytest.raises(ValueError, match=r"no parameter 'seed'; did you mean 'seeds'\?.*weight"):
        notebook.check_parameters()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('seeds = "two"', "'seeds' must be int, got 'two'"),
        ("seeds = True", "'seeds' must be int, got True"),
        ("seeds = 1.5", "'seeds' must be int, got 1.5"),
        ('weight = "x"', "'weight' must be float"),
        ('fast = "false"', "'fast' must be bool, got 'false'.*is a text"),
        ("scale = 3", "'scale' must be str"),
    ],
)
def test_an_ill_typed_value_is_named(shell, line, message):
    shell.run(CELL, f"# Parameters\n{line}\n")
    with pytest.raises(ValueError, match=message):
        notebook.check_parameters()


def test_a_whole_number_will_do_for_a_float(shell):
    shell.run(CELL, "# Parameters\nweight = 1\n")
    notebook.check_parameters()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('scale = "demoo"', "among smoke, demo; got 'demoo'; did you mean 'demo'"),
        ('scale = "smoke hugee"', "got 'hugee'"),
        ('scale = ""', "got 'nothing'"),
        ("seeds = 0", "among 1 to 4; got 0"),
    ],
)
def test_a_value_out_of_range_is_named(shell, line, message):
    shell.run(CELL, f"# Parameters\n{line}\n")
    with pytest.raises(ValueError, match=message):
        notebook.check_parameters(scale=("smoke", "demo"), seeds=range(1, 5))


def test_the_environment_sets_the_scale_unless_it_was_injected(shell, monkeypatch):
    monkeypatch.setenv("SSN3D_SCALE", "smoke")
    shell.run(CELL)
    notebook.check_parameters()
    assert shell.user_ns["scale"] == "smoke"
    shell.run(CELL, '# Parameters\nscale = "demo"\n')
    notebook.check_parameters()
    assert shell.user_ns["scale"] == "demo"


def test_the_environment_sets_the_scale_where_cells_are_not_recorded(shell, monkeypatch):
    monkeypatch.setenv("SSN3D_SCALE", "smoke")
    shell.run(CELL)
    shell.user_ns["In"] = [""]  # as under nbval
    notebook.check_parameters()
    assert shell.user_ns["scale"] == "smoke"


def test_cells_with_magics_are_no_obstacle(shell):
    shell.run(CELL)
    shell.user_ns["In"].append("%matplotlib inline")
    notebook.check_parameters()


def test_outside_a_notebook_it_says_so(monkeypatch):
    monkeypatch.setattr(notebook, "get_ipython", lambda: None)
    with pytest.raises(RuntimeError, match="belongs in a notebook"):
        notebook.check_parameters()


def test_the_source_shown_is_the_source_that_runs():
    shown = notebook.show_source(losses.ssn_loss).data
    assert shown.startswith("```python\ndef ssn_loss(")
    assert "F.cross_entropy" in shown


def test_results_go_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("SSN3D_FIGURES", str(tmp_path / "figures"))
    assert notebook.figures_folder() == tmp_path / "figures"
    assert (tmp_path / "figures").is_dir()
