import json
import math
import re
from math import log
from types import SimpleNamespace

import pandas as pd
import pytest

from ssn3d.config import SCALES, RunConfig, StudyConfig
from ssn3d.config.ssn_only import WITHOUT_LABELS
from ssn3d.datasets.identity import digest
from ssn3d.paper import claim_list, claims, report
from ssn3d.paper.claims import FAILS, HOLDS, MISSING, UNDECIDED, Finding
from ssn3d.synthetic.walkers.protocol import PROFILES

SEEDS = range(3)
UNSUPERVISED = WITHOUT_LABELS | {"steps": 4}
"""Pedestrians at smoke scale: as many steps as with labels and without."""


def run(config, metrics=None, **history):
    return SimpleNamespace(
        id=f"run{digest(config.changed())}", config=config, history=history, metrics=metrics or {}
    )


def reid(right=0, dataset="mars", triplet=(1.0,), people=range(10), ap=None, **changes):
    """A run that answers the first `right` of ten queries, with a precision of 1, or all of `ap`,
    and the others with none."""
    ranks = [1 if i < right else 2 for i in range(10)]
    precisions = [float(rank == 1) if ap is None else ap for rank in ranks]
    queries = {"person": list(people), "first_rank": ranks, "ap": precisions}
    config = RunConfig.preset("smoke", dataset, **changes)
    return run(config, {"queries": queries}, triplet=list(triplet))


def maps(losses, **changes):
    config = StudyConfig.preset("smoke", "random_maps", **changes)
    return run(config, {"loss": losses[-1]}, ssn=losses)


def pedestrians(correct, prior, spread, **changes):
    people = {"correct": correct, "prior": prior}
    config = StudyConfig.preset("smoke", "pedestrians", **changes)
    return run(config, {"people": people, "spread": spread})


def amber(pictures, **changes):
    config = StudyConfig.preset("smoke", "amber", **changes)
    return run(config, {"similarity": {"pictures": pictures}})


def judge(runs, seeds=3, **options) -> list[Finding]:
    return claims.judge(runs, "smoke", seeds=seeds, **options)


def found(runs, claim, **options) -> dict[str, Finding]:
    return of(judge(runs, **options), claim)


def of(findings, claim) -> dict[str, Finding]:
    return {one.place: one for one in findings if one.claim.id == claim}


def strategies(**right):
    """Runs of three seeds of each strategy on MARS."""
    return [
        reid(n, strategy=name.replace("_", "-"), seed=seed)
        for name, n in right.items()
        for seed in SEEDS
    ]


def test_a_better_method_is_better_by_the_difference_of_its_mean_average_precision():
    one = found(strategies(semi_supervised=9, unsupervised=2), "semi-supervised-over-unsupervised")
    mars = one["MARS"]
    assert mars.effect == pytest.approx(70)
    assert mars.values == pytest.approx([70] * 3)
    assert mars.seeds == [0, 1, 2]
    assert len(mars.runs) == 6
    assert 0 < mars.low < mars.effect < mars.high
    assert mars.verdict == HOLDS
    assert mars.claim.paper["MARS"] == 18.7
    assert mars.claim.paper_top1["MARS"] == 7.7


def test_mean_average_precision_decides_and_top1_stands_beside_it():
    runs = [
        reid(right, seed=seed, shared=shared, ap=ap)
        for seed in SEEDS
        for shared, right, ap in ((True, 3, 0.8), (False, 9, 0.6))
    ]
    findings = judge(runs)
    mars = of(findings, "sharing")["MARS"]
    assert mars.effect == pytest.approx(20)
    assert mars.verdict == HOLDS
    assert mars.top1 == pytest.approx(-60)
    assert mars.top1_low < mars.top1 < mars.top1_high < 0
    assert "By top-1, all sets" not in report.markdown(findings, caption="")
    assert math.isnan(of(findings, "lambda-delays")["MARS"].top1)


SETS = ("ilids_vid", "mars", "dukemtmc")


def on_sets(*pairs, seeds=SEEDS):
    """Runs with and without sharing, so many right answers each, on each data set."""
    return [
        reid(right, name, seed=seed, shared=shared, **({"split": seed} if "i" in name else {}))
        for name, both in zip(SETS, pairs, strict=True)
        for seed in seeds
        for shared, rights in zip((True, False), both, strict=True)
        for right in [rights[seed] if isinstance(rights, list) else rights]
    ]


def test_a_claim_on_several_sets_is_judged_on_the_mean_of_their_effects():
    findings = found(on_sets(([9, 8, 9], 2), ([5, 4, 6], 5), ([9, 9, 8], 3)), "sharing")
    assert list(findings) == ["all sets", "iLIDS-VID", "MARS", "DukeMTMC-VideoReID"]
    pooled, *each = findings.values()
    assert pooled.pooled
    assert not any(one.pooled for one in each)
    assert pooled.effect == pytest.approx(sum(one.effect for one in each) / 3)
    assert pooled.top1 == pytest.approx(pooled.effect)
    assert set(pooled.runs) == {run for one in each for run in one.runs}
    assert findings["MARS"].verdict == UNDECIDED
    assert pooled.verdict == HOLDS
    assert claims.overall([pooled, *each]) == HOLDS


def test_a_claim_does_not_hold_where_one_set_is_against_it():
    findings = found(on_sets((9, 1), (1, [9, 9, 8]), (9, 1)), "sharing")
    assert findings["all sets"].verdict == HOLDS
    assert findings["MARS"].verdict == FAILS
    assert claims.overall([*findings.values()]) == FAILS


def test_a_mean_over_sets_needs_them_all():
    runs = on_sets((9, 1), (9, 1), (9, 1))
    findings = found(runs[:-1], "sharing")
    assert findings["DukeMTMC-VideoReID"].verdict == findings["all sets"].verdict == MISSING
    assert claims.overall([*findings.values()]) == UNDECIDED


def test_more_seeds_than_asked_for_are_used_where_all_their_runs_are_there():
    runs = on_sets((9, 1), (9, 1), (9, 1), seeds=range(5))
    later = [run for run in runs if run.config.dataset == "mars" or run.config.seed != 3]
    findings = found(later, "sharing")
    assert findings["MARS"].seeds == [0, 1, 2, 3, 4]
    assert findings["DukeMTMC-VideoReID"].seeds == [0, 1, 2]  # seed 3 is missing
    assert findings["all sets"].low > 0
    assert {one.verdict for one in found(later, "sharing", seeds=6).values()} == {MISSING}


@pytest.mark.parametrize(
    ("right", "verdict"), [([1, 1, 2], FAILS), ([9, 10, 9], HOLDS), ([4, 5, 6], UNDECIDED)]
)
def test_a_verdict_is_the_side_of_zero_that_the_interval_is_on(right, verdict):
    runs = [reid(n, shared=True, seed=seed) for seed, n in enumerate(right)]
    runs += [reid(5, shared=False, seed=seed) for seed in SEEDS]
    assert found(runs, "sharing")["MARS"].verdict == verdict


def test_two_seeds_decide_nothing():
    runs = strategies(semi_supervised=9, unsupervised=2)
    runs = [run for run in runs if run.config.seed < 2]
    mars = found(runs, "semi-supervised-over-unsupervised", seeds=2)["MARS"]
    assert mars.seeds == [0, 1]
    assert mars.effect == pytest.approx(70)
    assert math.isnan(mars.low)
    assert mars.verdict == UNDECIDED


def test_what_has_no_runs_is_listed_as_not_yet_measured():
    findings = judge([])
    assert {one.verdict for one in findings} == {MISSING}
    assert all(math.isnan(one.effect) and one.runs == [] for one in findings)
    assert {one.claim.id for one in findings} == {one.id for one in claim_list.claims("smoke")}


@pytest.mark.parametrize(
    "change",
    [
        {"jitter": 0.0},
        {"label_noise": 0.0},
        {"ssn_weight": 0.3},
        {"test_protocol": "full"},
        {"labelled_frames": 4},
        {"dataset": "dukemtmc"},
        {"seed": 7},
        {"learning_rate": 0.5},
    ],
)
def test_a_claim_is_judged_on_exactly_the_runs_that_it_names(change):
    runs = strategies(semi_supervised=9, unsupervised=2)
    runs[-1] = reid(2, **{"strategy": "unsupervised", "seed": 2} | change)
    one = found(runs, "semi-supervised-over-unsupervised")
    assert {each.verdict for each in one.values()} == {MISSING}


def test_runs_of_other_studies_do_not_touch_a_claim():
    runs = strategies(semi_supervised=9, unsupervised=2)
    others = [
        reid(0, strategy=strategy, seed=seed, **change)
        for strategy in ("semi-supervised", "unsupervised")
        for seed in SEEDS
        for change in ({"jitter": 0.0}, {"label_noise": 2.0}, {"ssn_weight": 3.0})
    ]
    claim = "semi-supervised-over-unsupervised"
    assert str(found(runs + others, claim)) == str(found(runs, claim))


def test_runs_are_matched_by_seed_in_whatever_order_they_come():
    runs = [
        reid(dataset="ilids_vid", seed=seed, split=seed, shared=shared)
        for shared in (False, True)
        for seed in (2, 0, 1)
    ]
    [sharing] = [one for one in claim_list.claims("smoke") if one.id == "sharing"]
    by_config = {one.config: one for one in runs}
    matched = claims.matched(sharing.contrasts["iLIDS-VID"], by_config, seeds=3)
    settings = [[(one.config.seed, one.config.shared) for one in pair] for pair in matched]
    assert settings == [[(seed, True), (seed, False)] for seed in SEEDS]


def test_runs_tested_on_other_people_are_refused():
    runs = [reid(5, shared=True), reid(5, shared=False, people=range(1, 11))]
    with pytest.raises(ValueError, match="same people"):
        judge(runs, seeds=1)


def test_a_run_is_not_paired_with_itself():
    runs = [maps([1.0], parts=3, seed=seed) for seed in SEEDS]
    few = found(runs, "random-few-parts", numbers=[3])
    assert {one.verdict for one in few.values()} == {MISSING}


def test_lambda_is_compared_at_the_papers_value_of_each_data_set():
    runs = [
        reid(9 if weight < 1 else 2, dataset, triplet=[weight, 0, 0, 0], ssn_weight=weight, seed=s)
        for dataset in ("mars", "dukemtmc")
        for weight in (0.05, 0.1, 1.0)
        for s in SEEDS
    ]
    findings = judge(runs)
    assert of(findings, "small-lambda")["MARS"].verdict == HOLDS
    late = of(findings, "lambda-delays")  # the first quarter alone counts
    assert late["MARS"].effect == pytest.approx(0.9)
    assert late["DukeMTMC-VideoReID"].effect == pytest.approx(0.95)


def test_a_baseline_learns_without_labels():
    runs = [reid(9, seed=seed) for seed in SEEDS]
    baseline = [reid(2, aggregator="average", strategy="unsupervised", seed=seed) for seed in SEEDS]
    assert found(runs + baseline, "over-average")["MARS"].effect == pytest.approx(70)


def straying(leads):
    """Runs of SSN3D and of stripes, so many right answers each, at each level of straying."""
    return [
        reid(right, seed=seed, jitter=jitter, **changes)
        for jitter, both in leads.items()
        for right, changes in zip(
            both, ({}, {"aggregator": "stripes", "strategy": "unsupervised"}), strict=True
        )
        for seed in SEEDS
    ]


def test_a_lead_that_grows_is_the_difference_of_two_leads():
    runs = straying({0.0: (6, 5), None: (5, 3), 0.3: (5, 1)})
    findings = found(runs, "misaligned-stripes")
    assert list(findings) == ["from 0 to 30 %", "from 0 to 16 %", "from 16 to 30 %"]
    whole = findings["from 0 to 30 %"]
    assert [one.effect for one in findings.values()] == pytest.approx([30, 10, 20])
    assert [one.pooled for one in findings.values()] == [True, False, False]
    assert whole.values == pytest.approx([30] * 3)
    assert len(set(whole.runs)) == 4 * 3
    assert {one.verdict for one in found(runs, "misaligned-ap3d").values()} == {MISSING}
    assert found(runs[1:], "misaligned-stripes")["from 0 to 30 %"].verdict == MISSING


@pytest.mark.parametrize(
    ("usual", "verdict"), [((5, 3), HOLDS), ((6, 5), HOLDS), ((1, 9), FAILS), (None, UNDECIDED)]
)
def test_the_whole_decides_unless_a_step_goes_against_it_or_is_missing(usual, verdict):
    leads = {0.0: (4, 5), None: usual, 0.3: (9, 1)}
    runs = straying({level: both for level, both in leads.items() if both})
    assert claims.overall([*found(runs, "misaligned-stripes").values()]) == verdict


def test_the_middle_level_is_how_far_people_stray_on_the_rendered_mars():
    levels = list(claim_list.STRAYING)
    assert levels[1] == pytest.approx(100 * PROFILES["mars"].jitter)
    assert claim_list.STRAYING[levels[1]] == {}


@pytest.mark.parametrize(
    ("pooled", "verdicts", "verdict"),
    [
        ([], [HOLDS, HOLDS], HOLDS),
        ([], [HOLDS, UNDECIDED], UNDECIDED),
        ([], [HOLDS, UNDECIDED, FAILS], FAILS),
        ([], [FAILS, MISSING], FAILS),
        ([], [HOLDS, MISSING], UNDECIDED),
        ([], [MISSING, MISSING], MISSING),
        ([HOLDS], [UNDECIDED, UNDECIDED], HOLDS),
        ([HOLDS], [HOLDS, FAILS], FAILS),
        ([HOLDS], [HOLDS, MISSING], UNDECIDED),
        ([UNDECIDED], [HOLDS, HOLDS], UNDECIDED),
        ([FAILS], [UNDECIDED, UNDECIDED], FAILS),
        ([MISSING], [HOLDS, MISSING], UNDECIDED),
        ([MISSING], [MISSING, MISSING], MISSING),
    ],
)
def test_a_verdict_on_several_sets_follows_the_pooled_one_and_no_set_against_it(
    pooled, verdicts, verdict
):
    findings = [SimpleNamespace(verdict=one, pooled=True) for one in pooled]
    findings += [SimpleNamespace(verdict=one, pooled=False) for one in verdicts]
    assert claims.overall(findings) == verdict


def test_a_bound_is_kept_by_every_place_and_never_pooled(monkeypatch):
    [ones] = [one for one in claim_list.claims("smoke") if one.id == "random-ones"]
    monkeypatch.setattr(claim_list, "claims", lambda *_, **__: [ones._replace(pooled=True)])
    assert [one.place for one in judge([])] == list(ones.contrasts)


@pytest.mark.parametrize("figure", ["Figure 4", "Figure 5"])
def test_backbones_that_share_people_and_kinds_of_random_data_are_not_pooled(figure):
    assert not any(one.pooled for one in judge([]) if one.claim.where == figure)


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [([0.01, 0.02, 0.04], HOLDS), ([0.06, 0.07, 0.08], FAILS), ([0.01, 0.01, 0.06], UNDECIDED)],
)
def test_a_bound_must_be_kept_in_every_seed(losses, verdict):
    runs = [maps([1.0, loss], parts=n, seed=s) for s, loss in enumerate(losses) for n in (2, 5)]
    small = found(runs, "random-converges", numbers=[2, 5])
    assert list(small) == ["normal, N = 2"]
    assert small["normal, N = 2"].verdict == verdict


def test_the_area_under_the_loss_tells_fast_from_slow():
    def runs(distribution, parts, shares):
        losses = [log(parts) * share for share in shares]
        return [maps(losses, distribution=distribution, parts=parts, seed=s) for s in SEEDS]

    every = runs("normal", 2, [1, 0]) + runs("normal", 5, [1, 0.5]) + runs("uniform", 5, [1, 1])
    few = found(every, "random-few-parts", numbers=[2, 5])
    assert few["normal, N = 5 against 2"].effect == pytest.approx(25)
    assert few["uniform, N = 5 against 2"].verdict == MISSING
    assert found(every, "random-normal-uniform", numbers=[2, 5])["N = 5"].effect == pytest.approx(
        25
    )


def test_ones_may_come_down_to_chance_but_not_below():
    def ones(lowest, **changes):
        losses = [log(3) + 0.2, lowest, log(3)]
        changes |= {"distribution": "ones", "parts": 3, "steps": 1}
        return [maps(losses, seed=s, **changes) for s in SEEDS]

    assert found(ones(log(3)), "random-ones")["N = 3"].verdict == HOLDS
    assert found(ones(log(3) - 0.01), "random-ones")["N = 3"].verdict == FAILS
    bordered = ones(0.0, padding="same")
    assert found(ones(log(3)) + bordered, "random-ones")["N = 3"].verdict == HOLDS


def test_pedestrians_are_judged_by_people_and_by_spread():
    shaky, steady = {"frames": 0.3, "people": 0.1}, {"frames": 0.1, "people": 0.2}
    runs = [
        pedestrians([0.5, 1.0], [0.5, 0.5], spread, seed=s, **changes)
        for s in SEEDS
        for changes, spread in (({}, steady), (UNSUPERVISED, shaky))
    ]
    findings = judge(runs)
    assert of(findings, "accurate")["small backbone"].effect == pytest.approx(25)
    assert of(findings, "more-accurate")["small backbone"].effect == 0
    assert of(findings, "steadier-frames")["small backbone"].effect == pytest.approx(20)
    assert of(findings, "steadier-people")["small backbone"].verdict == FAILS


def test_labels_alone_are_not_semi_supervision():
    runs = [pedestrians([1.0], [0.0], {}, seed=s, steps=0) for s in SEEDS]
    assert found(runs, "accurate")["small backbone"].verdict == MISSING


def test_paintings_are_compared_with_other_parts_and_with_the_untrained_network():
    runs = [amber([0.4, 0.6], seed=s) for s in SEEDS]
    assert found(runs, "amber-learned")["Amber Abstract"].verdict == MISSING
    runs += [amber([0.6, 0.5], seed=s, steps=0) for s in SEEDS]
    findings = judge(runs)
    assert of(findings, "amber-alike")["Amber Abstract"].effect == pytest.approx(0.5)
    assert of(findings, "amber-learned")["Amber Abstract"].effect == pytest.approx(-0.05)


def test_the_same_runs_get_the_same_findings():
    runs = strategies(semi_supervised=6, unsupervised=5, supervised=4)
    assert str(judge(runs)) == str(judge(runs[::-1]))


def test_every_claim_says_all_there_is_to_say():
    every = claim_list.claims("smoke")
    assert len({one.id for one in every}) == len({one.title for one in every}) == len(every)
    for one in every:
        assert one.where
        assert one.test.endswith(".")
        assert one.caveat.endswith(".")
        assert re.fullmatch(r"\d\d_\w+", one.notebook)
        assert set(one.paper) | set(one.paper_top1) <= set(one.contrasts)
        assert one.contrasts


def test_the_runs_that_claims_name_can_be_described_at_every_scale():
    for scale in SCALES:
        for one in claim_list.claims(scale):
            for contrast in [*one.contrasts.values(), *one.whole.values()]:
                for sides in contrast.configs(seeds=2):
                    assert len(sides) == len(set(sides)) in (1, 2, 4)


def test_the_words_for_the_runs_name_what_tells_the_sides_apart():
    asked = {
        one.id: claims.asked(next(iter(one.contrasts.values())))
        for one in claim_list.claims("smoke")
    }
    assert asked["sharing"] == "shared True against False, all other settings equal"
    assert asked["misaligned-average"] == (
        "aggregator ssn3d against average, strategy semi-supervised against unsupervised, "
        "jitter as usual less the same with 0.0, all other settings equal"
    )
    assert asked["random-converges"] == "study random_maps, distribution normal, parts 3"


def test_real_data_are_judged_apart_from_rendered():
    runs = [
        reid(9 if shared else 2, seed=seed, shared=shared, source="real")
        for seed in SEEDS
        for shared in (True, False)
    ]
    assert found(runs, "sharing")["MARS"].verdict == MISSING
    assert found(runs, "sharing", source="real")["MARS"].verdict == HOLDS


def test_the_page_has_a_row_and_a_section_for_every_claim():
    runs = strategies(semi_supervised=9, unsupervised=2)
    page = report.markdown(judge(runs), caption="Smoke scale.")
    assert "\n\nSmoke scale.\n\n" in page
    missing = len(claim_list.claims("smoke")) - 1
    assert (
        f"Verdicts on {missing + 1} claims: holds 0, does not hold 0, undecided 1, "
        f"not yet measured {missing}.\n"
    ) in page
    for one in claim_list.claims("smoke"):
        assert page.count(f"| [{one.title}](#{one.id}) |") == 1
        assert page.count(f'<a id="{one.id}"></a>\n\n## {one.title}\n') == 1
    assert "MARS +70.0 [+" in page
    assert "MARS +18.7, top-1 +7.7<br>DukeMTMC-VideoReID +10.1, top-1 +6.9" in page
    assert (
        "| iLIDS-VID top-1 +2.2<br>MARS +1.1, top-1 +0.0<br>DukeMTMC-VideoReID +0.7, top-1 +0.5 |"
        in page
    )  # Table 3
    assert "nan" not in page


def test_the_page_says_how_wide_a_pooled_interval_is_and_where_top1_says_otherwise():
    runs = [
        reid(right, name, seed=seed, strategy=strategy, ap=ap, **split)
        for name in SETS
        for seed in SEEDS
        for split in [{"split": seed} if "i" in name else {}]
        for strategy, right, ap in (
            ("semi-supervised", 5, 0.8 + seed / 50), ("unsupervised", 5, 0.6),
        )
    ]  # fmt: skip
    findings = judge(runs)
    pooled = of(findings, "semi-supervised-over-unsupervised")["all sets"]
    half = (pooled.high - pooled.low) / 2
    page = report.markdown(findings, caption="")
    assert (
        f"Half of the interval of all sets: {half:.1f} points of mAP (wanted: at most 3). "
        "By top-1, all sets: undecided.\n"
    ) in page
    assert "top-1 +0.0 [+0.0, +0.0]<br>iLIDS-VID" in report.verdicts(findings)


def test_every_table_has_as_many_cells_in_every_row():
    page = report.markdown(judge([]), caption="")
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({line.count("|") for line in table.strip().split("\n")}) == 1


def test_only_what_was_measured_is_linked():
    runs = strategies(semi_supervised=9, unsupervised=2)
    text = report.markdown(judge(runs), caption="")
    assert set(re.findall(r"notebooks/(\w+).ipynb", text)) == {"01_learning_strategies"}


def test_a_notebooks_verdicts_are_of_what_was_measured_only():
    runs = [maps([1.0, 0.01], parts=3, seed=seed) for seed in SEEDS]
    assert report.verdicts(judge(runs)).split("\n")[2:] == [
        "| The SSN loss gets small even on random data | **holds** | nats | "
        "normal, N = 3 0.010 [0.010, 0.010] |"
    ]


def test_too_few_seeds_are_said_to_have_no_interval():
    runs = [maps([1.0, 0.01], parts=3)]
    assert report.verdicts(judge(runs, seeds=1)).endswith("N = 3 0.010 [no interval] |")


def test_records_are_flat_and_fit_a_data_frame_and_json():
    findings = judge(strategies(semi_supervised=9, unsupervised=2))
    records = claims.records(findings)
    frame = pd.DataFrame(records).set_index(["claim", "place"])
    first = frame.loc[("semi-supervised-over-unsupervised", "MARS")]
    assert (first.verdict, first.overall) == (HOLDS, UNDECIDED)
    assert len(first.runs) == 6
    assert len(json.loads(json.dumps(records))) == len(findings)


def test_parts_that_sharing_steadies_are_judged_only_where_their_points_are_known():
    def straying(shared, seed, spread):
        one = reid(seed=seed, shared=shared)
        one.metrics["parts"] = spread and {"spread": {"frames": spread}}
        return one

    runs = [
        straying(shared, seed, 0.1 if shared else 0.2) for shared in (True, False) for seed in SEEDS
    ]
    [mars] = [f for f in judge(runs) if f.claim.id == "sharing-steadies" and f.seeds]
    assert (mars.place, mars.verdict) == ("MARS", HOLDS)
    assert mars.effect == pytest.approx(10)
    unknown = [straying(shared, seed, None) for shared in (True, False) for seed in SEEDS]
    verdicts = {f.verdict for f in judge(unknown) if f.claim.id == "sharing-steadies"}
    assert verdicts == {MISSING}


@pytest.mark.parametrize(("reading", "verdict"), [("sum", HOLDS), ("mean", MISSING)])
def test_lambda_is_judged_with_the_loss_as_printed(reading, verdict):
    runs = [
        reid(right=9 if weight < 1 else 2, seed=seed, ssn_weight=weight, ssn_reduction=reading)
        for weight in (0.1, 1.0)
        for seed in SEEDS
    ]
    judged = {f.claim.id: f.verdict for f in judge(runs) if f.place == "MARS"}
    assert judged["small-lambda"] == verdict
