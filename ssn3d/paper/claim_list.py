"""What the paper claims, as data: where, what would show it, on which runs, what speaks against."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ssn3d.config import Dataset, RunConfig, Scale, Settings, StudyConfig, replicates
from ssn3d.config.reid import Source
from ssn3d.config.ssn_only import IMAGENET, WITHOUT_LABELS
from ssn3d.runs import Run

from . import claim_measures as measures
from . import numbers as paper
from .claim_measures import Values
from .methods import baseline


class Contrast(NamedTuple):
    """Which runs are compared: those of one configuration, with different changes on each side."""

    usual: RunConfig | StudyConfig
    """What the sides have in common."""
    sides: Sequence[Mapping[str, Any]]
    """What each side changes. With two sides, the first is claimed to measure more than the second;
    with one, more than 0, or less than a bound; with four, the first is claimed to lead the second
    by more than the third leads the fourth."""

    def configs(self, seeds: int) -> list[tuple[Settings, ...]]:
        """For each of the seeds 0, 1, 2, ... the configurations of all sides."""
        sides = [replicates(replace(self.usual, **changes), seeds) for changes in self.sides]
        return list(zip(*sides, strict=True))


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
    measure: Callable[[Run[Any]], Values]
    unit: str
    contrasts: Mapping[str, Contrast]
    """For each data set or case, by its title."""
    paper: Mapping[str, float] = {}
    """The effect by the paper's own numbers, where it prints them."""
    below: float | None = None
    """The claim is that the measure stays below this in every seed, not that it is above 0."""
    form: str = "+.1f"
    """How effects are written."""


SETS: tuple[Dataset, ...] = ("ilids_vid", "mars", "dukemtmc")
SMALL = (
    "Rendered people stand in for the real sets. At demo scale the backbone is small, has seen no "
    "ImageNet, and is trained for some hundred steps, where the paper takes 150 epochs."
)


def claims(
    scale: Scale, *, source: Source = "rendered", numbers: Sequence[int] = (3, 9, 16)
) -> list[Claim]:
    """All claims, in the order of the paper's tables and figures.

    Args:
        scale: of the runs that they are judged on.
        source: "rendered" or "real": which data sets the claims of Tables 1 to 5 and Figure 3 are
            judged on.
        numbers: of parts N in Figure 5; the paper's are not legible.
    """

    def on(*sides: Mapping[str, Any], sets: Iterable[Dataset] = SETS) -> dict[str, Contrast]:
        """The same contrast on each data set."""
        return {
            paper.TITLES[name]: Contrast(RunConfig.preset(scale, name, source=source), sides)
            for name in sets
        }

    mars = RunConfig.preset(scale, "mars")
    return [
        *_strategies(on),
        *_sharing_and_lambda(on),
        *_aggregators(on),
        *_misalignment_and_labels(mars),
        *_pedestrians(StudyConfig.preset(scale, "pedestrians")),
        *_random_maps(StudyConfig.preset(scale, "random_maps"), numbers),
        *_amber(StudyConfig.preset(scale, "amber")),
    ]


def _strategies(on: Callable[..., dict[str, Contrast]]) -> Iterator[Claim]:
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
            contrasts=on({"strategy": better}, {"strategy": worse}),
            paper=_printed(dict.fromkeys(SETS, 1), better, worse),
        )


def _sharing_and_lambda(on: Callable[..., dict[str, Contrast]]) -> Iterator[Claim]:
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
        contrasts=on({"shared": True}, {"shared": False}),
        paper=_printed(dict.fromkeys(SETS, 2), "shared", "not shared"),
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
        contrasts=on({"shared": False}, {"shared": True}),
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
        contrasts=on({}, {"ssn_weight": 1.0}),
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
        contrasts=on({"ssn_weight": 1.0}, {}),
        form="+.3f",
    )


def _aggregators(on: Callable[..., dict[str, Contrast]]) -> Iterator[Claim]:
    fewer = (
        f"{SMALL} SSN3D has two labelled frames a tracklet and another number of parameters, so "
        "more differs than how frames are aggregated."
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
            contrasts=on({}, baseline(name)),
        )
    tables = {"ilids_vid": 3, "dukemtmc": 5}
    yield claim(
        id="over-ap3d",
        title="SSN3D > AP3D",
        where="Tables 3 and 5",
        caveat=f"{fewer} AP3D is rewritten here, as one block behind the backbone, not five in it; "
        "its authors start from ImageNet weights. On MARS the paper claims no more than to come up "
        "to it.",
        contrasts=on({}, baseline("ap3d"), sets=tables),
        paper=_printed(tables, "SSN3D", "AP3D"),
    )


def _misalignment_and_labels(mars: RunConfig) -> Iterator[Claim]:
    """What the paper is about, and what its Conclusion asks, but shows no numbers of."""
    claim = partial(
        Claim, measure=measures.top1, unit="points of top-1", notebook="08_misalignment"
    )
    baselines = {
        "average": "average pooling",
        "stripes": "fixed stripes",
        "conv3d": "plain 3D convolution",
        "ap3d": "AP3D",
    }
    much, none = {"jitter": 0.2}, {"jitter": 0.0}
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
                mars, (much, much | baseline(name), none, none | baseline(name))
            )
            for name, title in baselines.items()
        },
    )
    quality = partial(claim, figure="fig_label_quality.png")
    supervised = {"strategy": "supervised"}
    yield quality(
        id="errors-harm",
        title="Errors of the pose estimator harm the supervised strategy",
        where='Ablation, "Different Learning Strategy"',
        test="More queries answered rightly (top-1) with points without error than with four times "
        "the expected errors.",
        caveat=f"{SMALL} The kinds of errors and their rates are assumed; parts are cut out at "
        "wrong places in training and in testing alike.",
        contrasts={
            "MARS": Contrast(
                mars, (supervised | {"label_noise": 0.0}, supervised | {"label_noise": 4.0})
            )
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
        contrasts={"MARS": Contrast(mars, ({"labelled_frames": None}, {"labelled_frames": 1}))},
    )


def _pedestrians(usual: StudyConfig) -> Iterator[Claim]:
    semi = {"strategy": "semi-supervised"}
    without = WITHOUT_LABELS | {"steps": usual.labelled_steps + usual.steps}
    backbones = {f"{usual.backbone} backbone": {}, "ImageNet weights": IMAGENET}
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
        contrasts={name: Contrast(usual, (semi | own,)) for name, own in backbones.items()},
    )
    yield claim(
        id="more-accurate",
        title="Semi-supervised parts are more accurate than unsupervised ones",
        test="More points found on unlabelled people.",
        caveat=points,
        measure=measures.accuracy,
        unit="points of PCK",
        contrasts={
            name: Contrast(usual, (semi | own, without | own)) for name, own in backbones.items()
        },
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
            contrasts={
                name: Contrast(usual, (without | own, semi | own))
                for name, own in backbones.items()
            },
        )


def _random_maps(usual: StudyConfig, numbers: Sequence[int]) -> Iterator[Claim]:
    few, many = min(numbers), max(numbers)
    unknown = (
        "The paper's numbers of parts and learning rate are not known; at demo scale the "
        "classifier is smaller and the steps are fewer."
    )
    claim = partial(
        Claim, where="Figure 5", notebook="06_random_data", figure="fig5_random_data.png"
    )

    def maps(distribution: str, parts: int) -> dict[str, Any]:
        more = {"steps": 3 * usual.steps // 2} if distribution == "ones" else {}
        return {"distribution": distribution, "parts": parts, **more}

    yield claim(
        id="random-converges",
        title="The SSN loss gets small even on random data",
        test="Less than 0.05 nats left at the end, in every seed, for normal data and few parts.",
        caveat=f"The bound is ours, the paper says small. {unknown}",
        measure=measures.final_loss,
        unit="nats",
        contrasts={f"normal, N = {few}": Contrast(usual, (maps("normal", few),))},
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
            f"{kind}, N = {many} against {few}": Contrast(
                usual, (maps(kind, many), maps(kind, few))
            )
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
        contrasts={
            f"N = {n}": Contrast(usual, (maps("uniform", n), maps("normal", n))) for n in numbers
        },
    )
    yield claim(
        id="random-ones",
        title="On maps of ones there is nothing to learn",
        test="At no step and in no seed more than 0.0001 nats below what guessing costs (ln N).",
        caveat="None for windows inside the map, where the notebook proves it. With zeros around "
        "the map, borders can be told apart, and the claim is wrong.",
        measure=measures.below_chance,
        unit="nats below ln N",
        contrasts={f"N = {n}": Contrast(usual, (maps("ones", n),)) for n in numbers},
        below=1e-4,
        form="+.1e",
    )


def _amber(usual: StudyConfig) -> Iterator[Claim]:
    claim = partial(
        Claim,
        where="Figure 6",
        caveat="The paintings are ours, drawn by a program after the paper's description. Alike "
        "means a high cosine of pixels less the mean colour; the eye may see it otherwise.",
        notebook="07_amber_abstract",
        figure="fig6_amber_abstract.png",
        measure=measures.similarity,
        unit="cosine",
        form="+.3f",
    )
    yield claim(
        id="amber-alike",
        title="Without labels, parts show similar things in different paintings",
        test="What a part looks at in a painting is more like what it looks at in others than what "
        "other parts look at there.",
        contrasts={"Amber Abstract": Contrast(usual, ({},))},
    )
    yield claim(
        id="amber-learned",
        title="It is training that makes them alike",
        test="They are more alike than before training, which the paper does not compare with.",
        contrasts={"Amber Abstract": Contrast(usual, ({}, {"steps": 0}))},
    )


def _printed(tables: Mapping[str, int], better: str, worse: str) -> dict[str, float]:
    """The difference in top-1 of two rows of the paper's tables, one for each data set."""
    return {
        paper.TITLES[name]: round(
            paper.value(table, better, name, "top1") - paper.value(table, worse, name, "top1"), 1
        )
        for name, table in tables.items()
    }
