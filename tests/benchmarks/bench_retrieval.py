"""Scores on lists like those of MARS: `retrieval.evaluate` against the usual loop over queries."""

import os
from pathlib import Path

import numpy as np
import torch
from scipy.io import loadmat
from torch import Tensor

from ssn3d.evaluation.retrieval import evaluate
from tests.benchmarks.harness import extra_megabytes, race, start


def mars_lists() -> tuple[Tensor, Tensor, Tensor]:
    """People [g] and cameras [g] of the gallery, and which of it are the queries [q].

    The official lists, where SSN3D_MARS_INFO names their folder, or random ones much like them:
    one query for each person and camera; person 0 is nobody asked for.
    """
    if folder := os.environ.get("SSN3D_MARS_INFO"):
        rows = loadmat(Path(folder, "tracks_test_info.mat"))["track_test_info"].astype("int64")
        query = loadmat(Path(folder, "query_IDX.mat"))["query_IDX"].ravel().astype("int64") - 1
        kept = rows[:, 2] != -1
        people, cameras = torch.from_numpy(rows[kept, 2:4]).unbind(dim=1)
        return people, cameras, torch.from_numpy(kept.cumsum() - 1)[query]
    generator = torch.Generator().manual_seed(0)
    often = torch.randn(626, generator=generator).exp()
    people = torch.multinomial(often, 8062, replacement=True, generator=generator) + 1
    people = torch.cat([torch.zeros(3248, dtype=torch.long), people])
    cameras = torch.randint(1, 7, (len(people),), generator=generator)
    _, which = torch.unique(people * 10 + cameras, return_inverse=True)
    first = torch.full((int(which.max()) + 1,), len(people)).scatter_reduce_(
        0, which, torch.arange(len(people)), "amin"
    )
    query = first[people[first] > 0]
    return people, cameras, query[torch.randperm(len(query), generator=generator)[:1980]]


def embeddings(people: Tensor, spread: float) -> Tensor:
    """[g 128]: people around places of their own, clips `spread` times as far from theirs."""
    generator = torch.Generator().manual_seed(1)
    places = torch.randn(int(people.max()) + 1, 128, generator=generator)
    return places[people] + spread * torch.randn(len(people), 128, generator=generator)


def usual_loop(
    query: Tensor,
    gallery: Tensor,
    query_ids: Tensor,
    gallery_ids: Tensor,
    query_cams: Tensor,
    gallery_cams: Tensor,
) -> tuple[np.ndarray, float]:
    """CMC and mAP as most repositories compute them: all distances, all sorted, query by query."""
    q, g, q_ids, g_ids, q_cams, g_cams = (
        side.numpy() for side in (query, gallery, query_ids, gallery_ids, query_cams, gallery_cams)
    )
    squares = (q**2).sum(1)[:, None] + (g**2).sum(1) - 2 * q @ g.T
    order = np.argsort(squares, axis=1)
    curves, precisions = [], []
    for row in range(len(q)):
        items = order[row]
        junk = (g_ids[items] == q_ids[row]) & (g_cams[items] == q_cams[row])
        found = (g_ids[items] == q_ids[row])[~junk]
        if not found.any():
            continue
        hits = found.cumsum()
        curves.append(np.minimum(hits, 1)[:50])
        precisions.append((hits / np.arange(1, len(hits) + 1))[found].mean())
    return np.mean(curves, axis=0), float(np.mean(precisions))


def main() -> None:
    people, cameras, query = mars_lists()
    start(f"evaluate: {len(query)} queries, {len(people)} gallery items, 128 numbers each")
    for name, spread in (("people told apart", 1.0), ("hardly told apart", 3.0)):
        vectors = embeddings(people, spread)
        sides = [x for side in (vectors, people, cameras) for x in (side[query], side)]
        assert abs(evaluate(*sides).mean_ap - usual_loop(*sides)[1]) < 1e-3
        race(
            f"{name}, against the loop",
            lambda sides=sides: evaluate(*sides),
            lambda sides=sides: usual_loop(*sides),
            rounds=5,
            faster=2,
        )
    setup = (
        "import torch; from ssn3d.evaluation.retrieval import evaluate; g = 1_000_000\n"
        "gallery = torch.ones(g, 128).uniform_(); query = gallery[:100] + 0.1\n"
        "ids = torch.arange(g) % 5000; cameras = torch.arange(g) % 7\n"
        "evaluate(query[:9], query[:99], ids[:9], ids[:99] % 9, cameras[:9], cameras[:99])"
    )
    work = (
        "import time; begin = time.perf_counter()\n"
        "evaluate(query, gallery, ids[:100], ids, cameras[:100], cameras + 1)\n"
    )
    extra = extra_megabytes(setup, work)
    print(f"100 queries, a gallery of 1,000,000: {extra:.0f} MB beside the embeddings (512 MB)")


if __name__ == "__main__":
    main()
