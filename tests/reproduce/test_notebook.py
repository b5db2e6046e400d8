import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from ssn3d import losses
from ssn3d.reproduce import notebook

CELL = 'scale: str = "demo"  # how large\nseeds: int = 3\nweight: float = 0.1\nfast: bool = False\n'
LISTS = (
    'folder: str = ""\nnumbers: str = "3 9 16"\nlevels: str = "0 0.1 0.2"\n'
    'datasets: str = "ilids_vid mars dukemtmc"\n'
)
ALLOWED = {
    "scale": ("smoke", "demo"),
    "seeds": range(1, 5),
    "numbers": range(2, 65),
    "datasets": ("ilids_vid", "mars", "dukemtmc"),
}


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
        ("seeds = 3.0", "'seeds' must be int, got 3.0 .*-p seeds 3 or -y \"seeds: 3\""),
        ('seeds = "3.0"', "'seeds' must be int, got '3.0'"),
        ("seeds = [0, 1]", r"'seeds' must be int, got \[0, 1\]"),
        ("seeds = None", "'seeds' must be int, got None.*without any of them it is 3"),
        ("weight = True", "'weight' must be float, got True"),
        ('weight = "0,5"', "'weight' must be float, got '0,5'"),
        ('weight = "nan"', "'weight' must be float, got 'nan'"),
        ("weight = float('inf')", "'weight' must be float, got inf"),
        ('fast = "yes"', "'fast' must be bool, got 'yes'.*-p fast False or -y \"fast: False\""),
        ("fast = 1", "'fast' must be bool, got 1"),
        ("scale = None", "'scale' must be str, got None .*-r scale demo"),
        ("scale = True", "'scale' must be str, got True"),
        ("scale = ['demo']", "'scale' must be str, got"),
        ("folder = 1000.0", "'folder' must be str, got 1000.0 .*-r folder TEXT or -y \"folder: 'T"),
        ("folder = 0.1", "'folder' must be str, got 0.1"),
        ("folder = None", "'folder' must be str, got None .*without any of them it is ''"),
        ("numbers = None", "'numbers' must be str, got None .*-r numbers \"3 9 16\""),
        ("numbers = True", "'numbers' must be str, got True"),
        ("numbers = [3, None]", "'numbers' must be str"),
        ("datasets = [['mars']]", "'datasets' must be str"),
    ],
)
def test_an_ill_typed_value_is_named_with_what_to_write(shell, line, message):
    shell.run(CELL + LISTS, f"# Parameters\n{line}\n")
    with pytest.raises(ValueError, match=message):
        notebook.check_parameters()


@pytest.mark.parametrize(
    ("option", "line", "meant"),
    [
        ("-p numbers 9", "numbers = 9", "9"),
        ("-p levels 0.1", "levels = 0.1", "0.1"),
        ("-p levels 0", "levels = 0", "0"),
        ("-p levels 1e-5", "levels = 1e-05", "1e-05"),
        ("-r numbers 9", 'numbers = "9"', "9"),
        ("-r numbers '9  3'", 'numbers = "9  3"', "9  3"),
        ("-y 'numbers: [3, 9]'", "numbers = [3, 9]", "3 9"),
        ("-y 'levels: [0, 0.2]'", "levels = [0, 0.2]", "0 0.2"),
        ("-y 'datasets: [mars, dukemtmc]'", 'datasets = ["mars", "dukemtmc"]', "mars dukemtmc"),
        ("-r scale 'demo '", 'scale = "demo "', "demo"),
        ("-r folder 007", 'folder = "007"', "007"),
        ("-r folder 'a, b'", 'folder = " a, b a"', " a, b a"),
        ("-r seeds 3", 'seeds = "3"', 3),
        ("-r weight 0.5", 'weight = "0.5"', 0.5),
        ("-r weight 1", 'weight = "1"', 1.0),
        ("-p fast true", 'fast = "true"', True),
        ("-r fast False", 'fast = "False"', False),
    ],
)
def test_what_papermill_made_of_an_option_becomes_what_was_meant(shell, option, line, meant):
    shell.run(CELL + LISTS, f"# Parameters\n{line}\n")
    notebook.check_parameters(**ALLOWED)
    got = shell.user_ns[option.replace("'", "").split()[1].rstrip(":")]
    assert got == meant
    assert type(got) is type(meant)


def test_a_number_for_a_free_text_is_taken_with_a_warning_of_what_may_be_lost(shell):
    shell.run(CELL + LISTS, "# Parameters\nfolder = 2021\n")
    with pytest.warns(UserWarning, match="'folder' is taken to be the text '2021'.*-r folder TEXT"):
        notebook.check_parameters()
    assert shell.user_ns["folder"] == "2021"


@given(numbers=st.lists(st.integers(2, 64), min_size=1, unique=True), way=st.integers(0, 2))
@settings(max_examples=50, deadline=None, derandomize=True, database=None)
def test_lists_of_numbers_arrive_whichever_way_they_are_given(numbers, way):
    text = " ".join(map(str, numbers))
    value = [text, numbers, numbers[0]][way]
    declared = notebook.Parameter("numbers", "str", "3 9 16", range(2, 65))
    assert notebook._checked(value, declared) == (text if way < 2 else str(numbers[0]))


def test_a_default_edited_in_the_notebook_is_checked_the_same(shell):
    shell.run(CELL + 'numbers: str = 9\nlevels: str = "0.1 0.10"\n')
    with pytest.raises(ValueError, match=r"'levels' has '0\.10' twice"):
        notebook.check_parameters(**ALLOWED)
    assert shell.user_ns["numbers"] == "9"


def test_a_whole_number_will_do_for_a_float(shell):
    shell.run(CELL, "# Parameters\nweight = 1\n")
    notebook.check_parameters()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('scale = "demoo"', "among smoke, demo; got 'demoo'; did you mean 'demo'"),
        ('scale = "smoke hugee"', "got 'hugee'"),
        ('scale = "smoke demo"', "'scale' must be a single word, got 'smoke demo'"),
        ('scale = "DEMO"', "got 'DEMO'; did you mean 'demo'"),
        ('scale = ""', "got 'nothing'"),
        ("scale = 3", "among smoke, demo; got '3'"),
        ("seeds = 0", "among 1 to 4; got 0"),
        ('seeds = "0"', "among 1 to 4; got 0"),
        ("numbers = 1", "among 2 to 64; got 1"),
        ("numbers = 9.0", "among 2 to 64; got '9.0'"),
        ("numbers = []", "among 2 to 64; got 'nothing'"),
        ('numbers = "3 nine"', "got 'nine'"),
        ('numbers = "3 9 3"', "'numbers' has '3' twice, got '3 9 3'; name each once"),
        ('numbers = "3 03"', "'numbers' has '03' twice"),
        ("numbers = [3, 3]", "'numbers' has '3' twice"),
        ('numbers = "3,9"', '-r numbers "3 9"'),
        ('numbers = "[3, 9]"', '-r numbers "3 9"'),
        ('levels = " "', "'levels' must be numbers; got 'nothing'"),
        ('levels = "0 low"', "'levels' must be numbers; got 'low'"),
        ('levels = "0 nan"', "got 'nan'"),
        ('levels = "0.1 0.10"', "'levels' has '0.10' twice"),
        ('levels = "0,1 0,2"', 'commas or brackets.*-r levels "0 0.1 0.2"'),
        ('datasets = "mars mars"', "'datasets' has 'mars' twice, got 'mars mars'"),
        ('datasets = ["mars", "mars"]', "'datasets' has 'mars' twice"),
        ('datasets = "mars,dukemtmc"', 'spaces between its words.*-r datasets "mars dukemtmc"'),
        ("datasets = \"['mars', 'dukemtmc']\"", '-r datasets "mars dukemtmc"'),
        ('datasets = "mars MARS"', "got 'MARS'; did you mean 'mars'"),
        ('datasets = "iLIDS-VID"', "did you mean 'ilids_vid'"),
        ('datasets = ""', "got 'nothing'"),
        ("datasets = 3", "got '3'"),
    ],
)
def test_a_value_out_of_range_is_named(shell, line, message):
    shell.run(CELL + LISTS, f"# Parameters\n{line}\n")
    with pytest.raises(ValueError, match=message):
        notebook.check_parameters(**ALLOWED)


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
