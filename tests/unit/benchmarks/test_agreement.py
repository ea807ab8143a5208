"""Agreement of clusters with classes, as scikit-learn has it."""

import numpy as np
import pytest
from benchmarks.agreement import agreement, tables
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

MANY = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=60)


def table_of(pairs: list[tuple[int, int]]) -> np.ndarray:
    classes, clusters = np.array(pairs).T
    images = np.zeros(len(pairs), dtype=np.int64)
    found: np.ndarray = tables(images, classes, clusters, (1, 5, 7))[0]
    return found


@given(pairs=MANY)
def test_nmi_and_ari_are_scikit_learn_s(pairs: list[tuple[int, int]]) -> None:
    classes, clusters = np.array(pairs).T
    nmi, ari, _ = agreement(table_of(pairs))
    assert nmi == pytest.approx(normalized_mutual_info_score(classes, clusters), abs=1e-9)
    assert ari == pytest.approx(adjusted_rand_score(classes, clusters), abs=1e-9)


@given(one=MANY, other=MANY)
def test_many_tables_at_once_are_each_for_itself(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    both = agreement(np.stack([table_of(one), table_of(other)]))
    assert np.allclose(both, [agreement(table_of(one)), agreement(table_of(other))])


def test_purity_by_hand() -> None:
    # Cluster 0 has two of class 0 and one of class 1, cluster 1 one of class 1.
    assert agreement(table_of([(0, 0), (0, 0), (1, 0), (1, 1)]))[2] == 0.75


def test_tables_leave_out_objects_without_a_cluster() -> None:
    images, classes, clusters = (np.array(each) for each in ([0, 0, 1], [0, 1, 1], [1, -1, 0]))
    found = tables(images, classes, clusters, (2, 2, 2))
    assert found.tolist() == [[[0, 1], [0, 0]], [[0, 0], [1, 0]]]


def test_nothing_has_no_score() -> None:
    assert np.isnan(agreement(np.zeros((2, 3)))).all()
