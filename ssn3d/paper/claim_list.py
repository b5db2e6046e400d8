"""What the paper claims, as data: where, what would show it, on which runs, what speaks against."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from . import claim_measures as measures
from . import numbers as paper
from .claim_measures import Run, Values

Side = Mapping[str, Any]
"""Settings that a run must have; for one that may have several values, a range of them."""


class Contrast(NamedTuple):
    """Which runs to compare: two are a pair if they differ only in what tells the sides apart."""

    high: Side
    """Runs of which more is claimed to be measured."""
    low: Side | None = None
    """Than of these; None where the measure itself is claimed to be above 0, or below a bound."""
    besides: tuple[str, ...] = ()
    """Settings that may differ too, because they follow from the others or mean nothing there."""
    before: Side | None = None
    """The claim is that the difference is greater than with these settings on both sides."""


class Claim(NamedTuple):
    """A claim of the paper, in our words."""

    id: str
    title: str
    where: str
    test: str
    """What would show it."""
    caveat: str
    """What speaks against whatever verdict the runs give."""
    notebook: str
    figure: str
    """File in figures/ that shows it."""
    measure: Callable[[Run], Values]
    unit: str
    contrasts: Mapping[str, Contrast]
    """For each data set or case, by its title."""
    paper: Mapping[str, float] = {}
    """The effect by the paper's own numbers, where it prints them."""
    below: float | None = None
    """The claim is that the measure stays below this in every seed, not that it is above 0."""
    form: str = "+.1f"
    """How effects are written."""


LAMBDAS = {"ilids_vid": 0.1, "mars": 0.1, "dukemtmc": 0.05}
"""The paper's weights of the SSN loss."""
NO_PARTS = (
    *("strategy", "labelled_frames", "labelled_per_clip", "ssn_weight", "ssn_reduction", "shared"),
    *("parts", "window", "hidden", "block", "block_width"),
)
"""Settings that mean nothing to an aggregator without parts."""
ORDINARY: Side = {
    "aggregator": "ssn3d",
    "parts": 9,
    "window": 3,
    "shared": True,
    "block": "bottleneck",
    "strategy": "semi-supervised",
    "labelled_frames": 2,
    "labelled_per_clip": 2,
    "ssn_reduction": "sum",
    "margin": 0.3,
    "jitter": None,
    "label_noise": 1.0,
    "test_protocol": "split",
    "metric": "euclidean",
}
"""What other studies vary, and claims on re-identification do not unless they name it."""
TRAINED = range(1, 10**9)
"""Any number of steps."""
SMALL = (
    "Rendered people stand in for the real sets. At demo scale the backbone is small, has seen no "
    "ImageNet, and is trained for some hundred steps, where the paper takes 150 epochs."
)


def claims(numbers: Sequence[int] = (3, 9, 16)) -> list[Claim]:
    """All claims, in the order of the paper's tables and figures.

    Args:
        numbers: of parts N that there are runs on random maps for; the paper's are not legible.
    """
    re_identification = [*_strategies(), *_sharing_and_lambda(), *_aggregators(), *_studies()]
    return [*re_identification, *_pedestrians(), *_random_maps(numbers), *_amber()]


def _strategies() -> Iterator[Claim]:
    titles = {
        ("semi-supervised", "unsupervised"): "A few labels are better than none",
        ("unsupervised", "supervised"): "No labels are better than a pose estimator's",
        ("semi-supervised", "supervised"): "A few good labels are better than a pose estimator's",
    }
    for (better, worse), title in titles.items():
        yield Claim(
            id=f"{better}-over-{worse}",
            title=f"{title}: {better} > {worse}",
            where="Table 1",
            test=f"More queries answered rightly (top-1) with strategy {better} than {worse}.",
            caveat=f"{SMALL} Attention must first find its parts, windows at given points need "
            "not. How often a pose estimator errs on such pictures (label_noise = 1) is assumed, "
            "and moves the supervised strategy.",
            notebook="01_learning_strategies",
            figure="table1.md",
            measure=measures.top1,
            unit="points of top-1",
            contrasts=_everywhere({"strategy": better}, {"strategy": worse}),
            paper=_printed(dict.fromkeys(LAMBDAS, 1), better, worse),
        )


def _sharing_and_lambda() -> Iterator[Claim]:
    yield Claim(
        id="sharing",
        title="One attention classifier for all frames is better than one for each",
        where="Table 2",
        test="More queries answered rightly (top-1) with weight sharing than without.",
        caveat=f"{SMALL} Each of several classifiers sees only its share of the frames, so longer "
        "training may close part of the gap. The paper's own numbers do not fit together on "
        "iLIDS-VID: a top-1 of 73.2 without sharing forbids the mAP printed beside it.",
        notebook="02_weight_sharing",
        figure="table2.md",
        measure=measures.top1,
        unit="points of top-1",
        contrasts=_everywhere({"shared": True}, {"shared": False}),
        paper=_printed(dict.fromkeys(LAMBDAS, 2), "shared", "not shared"),
    )
    yield Claim(
        id="sharing-steadies",
        title="One attention classifier for all frames keeps parts in their places",
        where="Table 2, how the text explains it",
        test="Parts stray more from their points, from frame to frame of a clip, without weight "
        "sharing than with it.",
        caveat=f"{SMALL} The paper says that without sharing nobody knows what a part is; that it "
        "strays is our reading. A part that never moves hardly strays: see how many are found, "
        "beside it. People are not drawn for this interval, only seeds.",
        notebook="02_weight_sharing",
        figure="table2_parts.png",
        measure=measures.stray_of_frames,
        unit="% of the frame's height",
        contrasts=_everywhere({"shared": False}, {"shared": True}),
    )
    claim = partial(Claim, notebook="03_lambda", figure="fig3_lambda.png")
    yield claim(
        id="small-lambda",
        title="A small weight of the SSN loss is better than a large one",
        where="Figure 3",
        test="More queries answered rightly (top-1) with the paper's lambda than with 1.",
        caveat=f"{SMALL} Two points of a curve do not show where its top is; the figure has "
        "more. Eq. (4) is taken as printed, as a sum; were the authors' lambda meant for the mean "
        "over parts, theirs would be the sum's at a ninth of it.",
        measure=measures.top1,
        unit="points of top-1",
        contrasts=_everywhere({}, {"ssn_weight": 1.0}),
    )
    yield claim(
        id="lambda-delays",
        title="A large weight of the SSN loss delays the learning of people",
        where="Figure 3, how the text explains it",
        test="A higher triplet loss, on average over the first quarter of the steps, with lambda 1 "
        "than with the paper's.",
        caveat=f"{SMALL} The paper says that an SSN which converges fast does harm; that people "
        "are then learned later is our reading of it, and later need not be worse. People are not "
        "drawn for this interval, only seeds.",
        measure=measures.early_triplet,
        unit="triplet loss",
        contrasts=_everywhere({"ssn_weight": 1.0}, {}),
        form="+.3f",
    )


def _aggregators() -> Iterator[Claim]:
    fewer = (
        f"{SMALL} SSN3D has two labelled frames a tracklet and other numbers of weights, so more "
        "differs than how frames are aggregated."
    )
    claim = partial(
        Claim,
        test="More queries answered rightly (top-1) by SSN3D, on the same backbone and training.",
        notebook="04_state_of_the_art",
        figure="fig_rivals.png",
        measure=measures.top1,
        unit="points of top-1",
    )
    for name, title in {"average": "average pooling", "conv3d": "plain 3D convolution"}.items():
        yield claim(
            id=f"over-{name}",
            title=f"SSN3D > {title}",
            where="Introduction, third contribution",
            caveat=f"{fewer} The paper shows no numbers.",
            contrasts=_everywhere({}, {"aggregator": name}, NO_PARTS),
        )
    tables = {"ilids_vid": 3, "dukemtmc": 5}
    yield claim(
        id="over-ap3d",
        title="SSN3D > AP3D",
        where="Tables 3 and 5",
        caveat=f"{fewer} AP3D is rewritten here, one block behind the backbone, not five in it; "
        "its authors start from ImageNet weights. On MARS the paper claims no more than to come up "
        "to it.",
        contrasts=_everywhere({}, {"aggregator": "ap3d"}, NO_PARTS, tables),
        paper=_printed(tables, "SSN3D", "AP3D"),
    )


def _studies() -> Iterator[Claim]:
    """What the paper is for, and asks in closing, but shows no numbers of."""
    claim = partial(
        Claim, measure=measures.top1, unit="points of top-1", notebook="08_misalignment"
    )
    rivals = {
        "average": "average pooling",
        "stripes": "fixed stripes",
        "conv3d": "plain 3D convolution",
        "ap3d": "AP3D",
    }
    [usual] = _everywhere({}, {}, sets=["mars"]).values()
    free = {key: value for key, value in usual.high.items() if key not in NO_PARTS}
    yield claim(
        id="misaligned",
        title="The more people stray in their boxes, the more SSN3D is worth",
        where='Introduction, first contribution: "address the appearance misalignment problem"',
        test="SSN3D's lead in top-1 is greater where boxes stray by 20 % than where they do not at "
        "all, all methods trained anew on each.",
        caveat=f"{SMALL} One data set, two levels; straying is a random walk and shaking of the "
        "box, and no body is cut in pieces by it.",
        figure="fig_misalignment.png",
        contrasts={
            f"against {title}": Contrast(
                {**usual.high, "jitter": 0.2},
                {**free, "aggregator": name, "jitter": 0.2},
                NO_PARTS,
                {"jitter": 0.0},
            )
            for name, title in rivals.items()
        },
    )
    quality = partial(claim, figure="fig_label_quality.png")
    supervised = {**usual.high, "strategy": "supervised"}
    yield quality(
        id="errors-harm",
        title="Errors of the pose estimator harm the supervised strategy",
        where='Ablation, "Different Learning Strategy"',
        test="More queries answered rightly (top-1) with points without error than with four times "
        "the expected errors.",
        caveat=f"{SMALL} The kinds of errors and their rates are assumed; parts are cut out at "
        "wrong places in training and in testing alike.",
        contrasts={
            "MARS": Contrast({**supervised, "label_noise": 0.0}, {**supervised, "label_noise": 4.0})
        },
    )
    yield quality(
        id="more-labels",
        title="More labelled frames are better",
        where='asked by us; the Conclusion plans for "less or partial labeled data"',
        test="More queries answered rightly (top-1) with all frames labelled than with one a "
        "tracklet.",
        caveat=f"{SMALL} Two labelled frames go with each clip in both, drawn from all or the same "
        "one twice, so that labels weigh the same.",
        contrasts={
            "MARS": Contrast(
                {**usual.high, "labelled_frames": None}, {**usual.high, "labelled_frames": 1}
            )
        },
    )


def _pedestrians() -> Iterator[Claim]:
    own: Side = {"study": "pedestrians", "folder": None, "keep_labels": False, "steps": TRAINED}
    semi = {**own, "strategy": "semi-supervised", "labelled_steps": TRAINED}
    without = {**own, "strategy": "unsupervised", "labelled_steps": 0}
    more, less = Contrast(semi, without, ("steps",)), Contrast(without, semi, ("steps",))
    claim = partial(
        Claim, where="Figure 4", notebook="05_pedestrian_128", figure="fig4_pedestrian_128.png"
    )
    points = (
        "Rendered pedestrians, more alike in pose and scale than real ones. Parts learned without "
        "labels are given to the points that they fit best on the labelled pictures; they may be "
        "true to something that is no body point."
    )
    yield claim(
        id="accurate",
        title="A few labels teach where parts are in people whom nobody labelled",
        test="More points found than by guessing the mean labelled place, on unlabelled people.",
        caveat=points,
        measure=measures.above_prior,
        unit="points of PCK",
        contrasts={"Pedestrian 128": Contrast(semi)},
    )
    yield claim(
        id="more-accurate",
        title="Semi-supervised parts are more accurate than unsupervised ones",
        test="More points found on unlabelled people.",
        caveat=points,
        measure=measures.accuracy,
        unit="points of PCK",
        contrasts={"Pedestrian 128": more},
    )
    for measure, those in {
        measures.spread_of_people: "person to person",
        measures.spread_of_frames: "frame to frame",
    }.items():
        yield claim(
            id=f"steadier-{measure.__name__.removeprefix('spread_of_')}",
            title=f"Semi-supervised parts are more stable from {those}",
            test=f"Unsupervised parts stray more from {those}, seen from their points.",
            caveat=f"{points} Where a part was not found does not count, and one that never moves "
            "strays no more than its point does. People are not drawn for this interval, only "
            "seeds.",
            measure=measure,
            unit="% of the frame's height",
            contrasts={"Pedestrian 128": less},
        )


def _random_maps(numbers: Sequence[int]) -> Iterator[Claim]:
    few, many = min(numbers), max(numbers)
    unknown = (
        "The paper's numbers of parts and learning rate are not known; at demo scale the "
        "classifier is smaller and the steps are fewer."
    )
    claim = partial(
        Claim, where="Figure 5", notebook="06_random_data", figure="fig5_random_data.png"
    )

    def maps(distribution: str, parts: int) -> Side:
        study = {"study": "random_maps", "padding": "valid"}
        return {**study, "distribution": distribution, "parts": parts}

    yield claim(
        id="random-converges",
        title="The SSN loss gets small even on random data",
        test="Less than 0.05 nats left at the end, in every seed, for normal data and few parts.",
        caveat=f"The bound is ours, the paper says small. {unknown}",
        measure=measures.final_loss,
        unit="nats",
        contrasts={f"normal, N = {few}": Contrast(maps("normal", few))},
        below=0.05,
        form=".3f",
    )
    slower = (
        "A larger mean loss over all steps, as a share of what guessing costs (ln N), which unlike "
        "the step where half is reached is known of every run:"
    )
    yield claim(
        id="random-few-parts",
        title="It gets small faster the fewer parts there are",
        test=f"{slower} for the most parts than for the fewest.",
        caveat=f"Only the ends are compared; shares of ln N are one way among others. {unknown}",
        measure=measures.area,
        unit="% of what guessing costs",
        contrasts={
            f"{kind}, N = {many} against {few}": Contrast(maps(kind, many), maps(kind, few))
            for kind in ("normal", "uniform")
        },
    )
    yield claim(
        id="random-normal-uniform",
        title="It gets small faster on normal than on uniform data",
        test=f"{slower} for uniform than for normal data.",
        caveat="Uniform data in 0 to 1 has another mean and variance too, and these rather than "
        f"its shape may make it slow: see the notebook. {unknown}",
        measure=measures.area,
        unit="% of what guessing costs",
        contrasts={f"N = {n}": Contrast(maps("uniform", n), maps("normal", n)) for n in numbers},
    )
    yield claim(
        id="random-ones",
        title="On maps of ones there is nothing to learn",
        test="At no step and in no seed more than 0.0001 nats below what guessing costs (ln N).",
        caveat="None for windows inside the map, where the notebook proves it. With zeros around "
        "the map, borders can be told apart, and the claim is wrong.",
        measure=measures.below_chance,
        unit="nats below ln N",
        contrasts={f"N = {n}": Contrast(maps("ones", n)) for n in numbers},
        below=1e-4,
        form="+.1e",
    )


def _amber() -> Iterator[Claim]:
    trained: Side = {"study": "amber", "folder": None, "steps": TRAINED}
    claim = partial(
        Claim,
        where="Figure 6",
        caveat="The paintings are ours, drawn by a program after the paper's description. Alike "
        "means a high cosine of pixels less the mean colour; the eye may see it otherwise.",
        notebook="07_amber_abstract",
        figure="fig6_amber_abstract.png",
        measure=measures.likeness,
        unit="cosine",
        form="+.3f",
    )
    yield claim(
        id="amber-alike",
        title="Without labels, parts show similar things in different paintings",
        test="What a part looks at in a painting is more like what it looks at in others than what "
        "other parts look at there.",
        contrasts={"Amber Abstract": Contrast(trained)},
    )
    yield claim(
        id="amber-learned",
        title="It is training that makes them alike",
        test="They are more alike than before training, which the paper does not compare with.",
        contrasts={"Amber Abstract": Contrast(trained, {**trained, "steps": 0})},
    )


def _everywhere(
    high: Side, low: Side, besides: tuple[str, ...] = (), sets: Iterable[str] = tuple(LAMBDAS)
) -> dict[str, Contrast]:
    """A contrast on each data set; all that the sides do not name is as usual."""
    contrasts = {}
    for name in sets:
        usual = {**ORDINARY, "dataset": name, "ssn_weight": LAMBDAS[name]}
        free = {key: value for key, value in usual.items() if key not in besides}
        contrasts[paper.TITLES[name]] = Contrast({**usual, **high}, {**free, **low}, besides)
    return contrasts


def _printed(tables: Mapping[str, int], better: str, worse: str) -> dict[str, float]:
    """The difference in top-1 of two rows of the paper's tables, one for each data set."""
    return {
        paper.TITLES[name]: round(
            paper.value(table, better, name, "top1") - paper.value(table, worse, name, "top1"), 1
        )
        for name, table in tables.items()
    }
