"""What the paper claims, as data: where, what would show it, on which runs, what speaks against."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from math import isnan, nan
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
    pooled: bool = True
    """Whether the verdict is on the mean over places, which are data sets; if not, or with a bound,
    the claim must hold at each of them."""
    whole: Mapping[str, Contrast] = {}
    """Where places are steps that share runs: the whole that they add up to, by its title. Its
    interval stands in for that of their mean."""
    widest: float | None = None
    """Half-width of the pooled interval that is wanted at most."""
    paper: Mapping[str, float] = {}
    """The effect by the paper's own numbers, where it prints them."""
    paper_top1: Mapping[str, float] = {}
    """The same in top-1, of claims about mAP."""
    below: float | None = None
    """The claim is that the measure stays below this in every seed, not that it is above 0."""
    form: str = "+.1f"
    """How effects are written."""


SETS: tuple[Dataset, ...] = ("ilids_vid", "mars", "dukemtmc")
WIDEST = 3.0
"""Points of mAP: the half-width that the pooled intervals of Table 1 and of the third contribution
are wanted to have at most."""
STRAYING: Mapping[int, Mapping[str, Any]] = {
    0: {"jitter": 0.0},
    16: {},  # as the rendered MARS does if nothing is changed
    30: {"jitter": 0.3},
}
"""How far people stray, in percent of their boxes, and what that changes of the settings."""


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

    usual = RunConfig.preset(scale, "mars", source=source)
    rendered = RunConfig.preset(scale, "mars")
    return [
        *_strategies(on, _training(usual)),
        *_sharing_and_lambda(on, _training(usual)),
        *_aggregators(on, _training(usual)),
        *_two_ways(on, _training(usual)),
        *_misalignment(rendered),
        *_labels(rendered),
        *_pedestrians(StudyConfig.preset(scale, "pedestrians")),
        *_random_maps(StudyConfig.preset(scale, "random_maps"), numbers),
        *_amber(StudyConfig.preset(scale, "amber")),
    ]


def _training(config: RunConfig) -> str:
    """What differs from the paper in all runs like this one."""
    people = "Rendered people. " if config.source == "rendered" else ""
    weights = "from ImageNet weights" if config.pretrained else "without ImageNet weights"
    if config.pretraining_steps:
        weights = f"pretrained for {config.pretraining_steps} steps on other rendered people"
    epochs = f"{config.epochs} epochs"
    if config.steps_per_epoch:
        epochs = f"{config.epochs * config.steps_per_epoch} steps"
    return f"{people}Backbone {config.backbone}, {weights}; {epochs} (the paper: 150 epochs)."


def _strategies(on: Callable[..., dict[str, Contrast]], training: str) -> Iterator[Claim]:
    titles = {
        ("semi-supervised", "unsupervised"): "A few labels are better than none",
        ("unsupervised", "supervised"): "No labels are better than a pose estimator's",
        ("semi-supervised", "supervised"): "A few good labels are better than a pose estimator's",
    }
    for (better, worse), title in titles.items():
        estimated = (
            ""
            if worse == "unsupervised"
            else (
                " How often the pose estimator errs is assumed (label_noise = 1); the supervised "
                "strategy gets its points in testing too."
            )
        )
        yield Claim(
            id=f"{better}-over-{worse}",
            title=f"{title}: {better} > {worse}",
            where="Table 1",
            test=f"A higher mAP with strategy {better} than {worse}.",
            caveat=f"{training}{estimated}",
            notebook="01_learning_strategies",
            figure="table1.md",
            measure=measures.mean_ap,
            unit="points of mAP",
            contrasts=on({"strategy": better}, {"strategy": worse}),
            widest=WIDEST,
            paper=_printed(dict.fromkeys(SETS, 1), better, worse, "mean_ap"),
            paper_top1=_printed(dict.fromkeys(SETS, 1), better, worse, "top1"),
        )


def _sharing_and_lambda(on: Callable[..., dict[str, Contrast]], training: str) -> Iterator[Claim]:
    yield Claim(
        id="sharing",
        title="One attention classifier for all frames is better than one for each",
        where="Table 2",
        test="A higher mAP with weight sharing than without.",
        caveat=f"{training} Each of several classifiers learns from its share of the frames only. "
        "On iLIDS-VID the paper's top-1 and mAP without sharing exclude each other.",
        notebook="02_weight_sharing",
        figure="table2.md",
        measure=measures.mean_ap,
        unit="points of mAP",
        contrasts=on({"shared": True}, {"shared": False}),
        paper=_printed(dict.fromkeys(SETS, 2), "shared", "not shared", "mean_ap"),
        paper_top1=_printed(dict.fromkeys(SETS, 2), "shared", "not shared", "top1"),
    )
    yield Claim(
        id="sharing-steadies",
        title="One attention classifier for all frames keeps parts in their places",
        where="Table 2, how the text explains it",
        test="Parts stray more from their points, from frame to frame of a clip, without weight "
        "sharing than with it.",
        caveat=f"{training} The paper says that without sharing nobody knows what a part is; that "
        "it strays is our reading. A part that never moves hardly strays. The interval is for "
        "other seeds, not for other people.",
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
        test="A higher mAP with the paper's lambda than with 1.",
        caveat=f"{training} Two points of a curve do not show where its top is. Eq. (4) is taken "
        "as printed, as a sum over parts; as a mean, the same lambda weighs a ninth of it.",
        measure=measures.mean_ap,
        unit="points of mAP",
        contrasts=on({}, {"ssn_weight": 1.0}),
    )
    yield claim(
        id="lambda-delays",
        title="A large weight of the SSN loss delays the learning of people",
        where="Figure 3, how the text explains it",
        test="A higher triplet loss, on average over the first quarter of the steps, with lambda 1 "
        "than with the paper's.",
        caveat=f"{training} The paper says that an SSN which converges fast does harm; that people "
        "are then learned later is our reading, and later need not be worse. The interval is for "
        "other seeds, not for other people.",
        measure=measures.early_triplet,
        unit="triplet loss",
        contrasts=on({"ssn_weight": 1.0}, {}),
        form="+.3f",
    )


def _aggregators(on: Callable[..., dict[str, Contrast]], training: str) -> Iterator[Claim]:
    labelled = (
        f"{training} SSN3D learns from two labelled frames a tracklet, no baseline from any; "
        "numbers of parameters differ."
    )
    claim = partial(
        Claim,
        test="A higher mAP of SSN3D, on the same backbone and training.",
        notebook="04_state_of_the_art",
        figure="fig_rivals.png",
        measure=measures.mean_ap,
        unit="points of mAP",
    )
    for name, title in {"average": "average pooling", "conv3d": "plain 3D convolution"}.items():
        yield claim(
            id=f"over-{name}",
            title=f"SSN3D > {title}",
            where="Introduction, third contribution",
            caveat=f"{labelled} The paper shows no numbers.",
            contrasts=on({}, baseline(name)),
            widest=WIDEST,
        )
    tables = {"ilids_vid": 3, "mars": 4, "dukemtmc": 5}
    yield claim(
        id="over-ap3d",
        title="SSN3D > AP3D",
        where="Tables 3 to 5",
        caveat=f"{labelled} AP3D is rewritten here, as one block behind the backbone, not five in "
        "it. In top-1 on MARS the paper only comes up to it.",
        contrasts=on({}, baseline("ap3d"), sets=tables),
        paper=_printed(tables, "SSN3D", "AP3D", "mean_ap"),
        paper_top1=_printed(tables, "SSN3D", "AP3D", "top1"),
    )
    tables = {"ilids_vid": 3, "mars": 4}
    yield claim(
        id="over-spa_atn",
        title="SSN3D > SpaAtn",
        where='"Recent Progress", Tables 3 and 4 (STAN)',
        caveat=f"{labelled} SpaAtn is rewritten here behind the backbone, without its enhancement "
        "of features and its loss for identities.",
        contrasts=on({}, baseline("spa_atn"), sets=tables),
        paper=_printed(tables, "SSN3D", "STAN", "mean_ap"),
        paper_top1=_printed(tables, "SSN3D", "STAN", "top1"),
    )


def _two_ways(on: Callable[..., dict[str, Contrast]], training: str) -> Iterator[Claim]:
    """Of making parts distinct: a second classification, or a divergence between maps."""
    claim = partial(
        Claim,
        where='"Recent Progress", against SpaAtn',
        notebook="04_state_of_the_art",
        figure="fig_two_ways.png",
    )
    seeds_only = "The interval is for other seeds, not for other people."
    yield claim(
        id="distinct",
        title="A second classification keeps parts apart better than a divergence: SSN3D > SpaAtn",
        test="Parts overlap less (distinctness), neither method with labels.",
        caveat=f"{training} SpaAtn's loss is squared and weighs 1, L_SSN the paper's lambda. "
        f"{seeds_only}",
        measure=measures.distinctness,
        unit="% distinct",
        contrasts=on({"strategy": "unsupervised"}, baseline("spa_atn")),
    )
    yield claim(
        id="similar-parts",
        title="With a few labels it tells similar parts apart, which a divergence cannot",
        test="More elbows, knees and feet are found than by SpaAtn, whose maps are given to the "
        "points that they fit best on other people.",
        caveat=f"{training} SpaAtn sees no labels, and its maps may follow something else that is "
        "distinct. Where people stray little, on iLIDS-VID and DukeMTMC-VideoReID, the mean place "
        f"of each point is as good a guess (Table 2's notebook). {seeds_only}",
        measure=measures.pairs_found,
        unit="points of PCK",
        contrasts=on({}, baseline("spa_atn")),
    )


def _misalignment(mars: RunConfig) -> Iterator[Claim]:
    """What the paper is about, but shows no numbers of."""
    baselines = {
        "average": "average pooling",
        "conv3d": "plain 3D convolution",
        "ap3d": "AP3D",
        "stripes": "fixed stripes",
    }

    def grows(less: int, more: int, other: Mapping[str, Any]) -> dict[str, Contrast]:
        """The lead over another method at one level, less that at a lower one."""
        sides = [{**STRAYING[level], **both} for level in (more, less) for both in ({}, other)]
        return {f"from {less} to {more} %": Contrast(mars, sides)}

    none, *_, most = STRAYING
    for name, title in baselines.items():
        steps = [grows(*step, baseline(name)) for step in pairwise(STRAYING)]
        yield Claim(
            id=f"misaligned-{name}",
            title=f"The more people stray in their boxes, the more SSN3D leads {title}",
            where="Introduction, first contribution",
            test="SSN3D's lead in mAP grows from boxes in which nobody strays to boxes in which "
            f"people stray by {most} %, all methods trained anew at each level.",
            caveat=f"{_training(mars)} One data set. "
            "Straying is a random walk and shaking of the box; it cuts no body in pieces.",
            notebook="08_misalignment",
            figure="fig_misalignment.png",
            measure=measures.mean_ap,
            unit="points of mAP",
            contrasts={place: each for step in steps for place, each in step.items()},
            whole=grows(none, most, baseline(name)),
        )


def _labels(mars: RunConfig) -> Iterator[Claim]:
    """What the paper says of labels and plans with them, but shows no numbers of."""
    claim = partial(
        Claim,
        measure=measures.mean_ap,
        unit="points of mAP",
        notebook="08_misalignment",
        figure="fig_label_quality.png",
    )
    supervised = {"strategy": "supervised"}
    yield claim(
        id="errors-harm",
        title="Errors of the pose estimator harm the supervised strategy",
        where='Ablation, "Different Learning Strategy"',
        test="A higher mAP with points without error than with four times the expected errors.",
        caveat=f"{_training(mars)} The kinds of errors and their rates are assumed; points are "
        "wrong in training and in testing.",
        contrasts={
            "MARS": Contrast(
                mars, (supervised | {"label_noise": 0.0}, supervised | {"label_noise": 4.0})
            )
        },
    )
    yield claim(
        id="more-labels",
        title="More labelled frames are better",
        where='asked by us; the Conclusion plans for "less or partial labeled data"',
        test="A higher mAP with all frames labelled than with one a tracklet.",
        caveat=f"{_training(mars)} Two labelled frames go with each clip in both, drawn from all "
        "or the same one twice, so that labels weigh the same.",
        contrasts={"MARS": Contrast(mars, ({"labelled_frames": None}, {"labelled_frames": 1}))},
    )


def _pedestrians(usual: StudyConfig) -> Iterator[Claim]:
    semi = {"strategy": "semi-supervised"}
    without = WITHOUT_LABELS | {"steps": usual.labelled_steps + usual.steps}
    backbones = {f"{usual.backbone} backbone": {}, "ImageNet weights": IMAGENET}
    claim = partial(
        Claim,
        where="Figure 4",
        notebook="05_pedestrian_128",
        figure="fig4_pedestrian_128.png",
        pooled=False,  # both backbones see the same people
    )
    points = (
        "Rendered pedestrians. Parts learned without labels are given to the points that they fit "
        "best on the labelled pictures; they may follow something that is no body point."
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
            caveat=f"{points} A part that never moves strays no more than its point does. The "
            "interval is for other seeds, not for other people.",
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
        f"The paper's numbers of parts and learning rate are not known; here {usual.hidden} hidden "
        f"units and {usual.steps} steps."
    )
    claim = partial(
        Claim,
        where="Figure 5",
        notebook="06_random_data",
        figure="fig5_random_data.png",
        pooled=False,
    )

    def maps(distribution: str, parts: int) -> dict[str, Any]:
        more = {"steps": -(-usual.steps // 5)} if distribution == "ones" else {}
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
    slower = "A larger mean loss over all steps, as a share of what guessing costs (ln N),"
    yield claim(
        id="random-few-parts",
        title="It gets small faster the fewer parts there are",
        test=f"{slower} for the most parts than for the fewest.",
        caveat=f"Only the fewest and the most parts are compared. {unknown}",
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
        caveat="Uniform data in 0 to 1 has another mean and variance too; the notebook tells "
        f"them apart. {unknown}",
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


def _printed(tables: Mapping[str, int], better: str, worse: str, metric: str) -> dict[str, float]:
    """The difference of two rows of the paper's tables for each data set, where both are legible.

    Args:
        tables: for each data set, the number of the table.
        better: row.
        worse: row.
        metric: "mean_ap" or "top1".
    """
    differences = {
        paper.TITLES[name]: _number(table, better, name, metric)
        - _number(table, worse, name, metric)
        for name, table in tables.items()
    }
    return {name: round(value, 1) for name, value in differences.items() if not isnan(value)}


def _number(table: int, row: str, dataset: str, metric: str) -> float:
    """A number of the paper, NaN where it has none."""
    try:
        return paper.value(table, row, dataset, metric)
    except KeyError:  # a column that the table does not have
        return nan
