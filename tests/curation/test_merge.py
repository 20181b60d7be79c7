from hypothesis import given
from hypothesis import strategies as st

from tests.builders import block, instance, sample
from whyseg.curation.merge import merge
from whyseg.schemas import Sample

ONE, TWO, THREE = (block(row, 0, 1, 2) for row in (0, 2, 4))
BASE = sample(query="what?", instances=[instance(1, ONE)])


def with_instances(*instances: object) -> Sample:
    return BASE.model_copy(update={"instances": instances})


def test_changes_of_different_things_are_both_kept() -> None:
    mine = BASE.model_copy(update={"query": sample(query="which?").query})
    theirs = with_instances(instance(1, TWO), instance(2, THREE))
    merged = merge(BASE, mine, theirs)
    assert merged.conflicts == ()
    assert merged.sample.query == mine.query
    assert merged.sample.instances == theirs.instances


def test_where_both_changed_the_same_mine_is_taken_and_it_is_said() -> None:
    mine, theirs = with_instances(instance(1, TWO)), with_instances(instance(1, THREE))
    merged = merge(BASE, mine, theirs)
    assert merged.sample.instances == mine.instances
    assert merged.conflicts == ("both changed the instance 1",)


def test_two_new_instances_under_one_id_are_both_kept() -> None:
    mine, theirs = (
        with_instances(instance(1, ONE), instance(2, TWO)),
        with_instances(instance(1, ONE), instance(2, THREE)),
    )
    merged = merge(BASE, mine, theirs).sample
    assert [(i.id, i.mask) for i in merged.instances] == [(1, ONE), (2, TWO), (3, THREE)]


def test_a_deletion_is_kept_unless_the_other_side_worked_on_it() -> None:
    deleted = with_instances()
    assert merge(BASE, deleted, BASE).sample.instances == ()
    assert merge(BASE, BASE, deleted).sample.instances == ()
    changed = with_instances(instance(1, TWO))
    for mine, theirs in ((deleted, changed), (changed, deleted)):
        merged = merge(BASE, mine, theirs)
        assert merged.sample.instances == changed.instances
        assert merged.conflicts == ("both changed the instance 1",)


def test_no_target_against_instances_keeps_the_instances() -> None:
    empty = sample(query="what?")
    mine, theirs = (
        empty.model_copy(update={"no_target": True}),
        empty.model_copy(update={"instances": (instance(1, ONE),)}),
    )
    merged = merge(empty, mine, theirs)
    assert merged.sample.instances == theirs.instances
    assert not merged.sample.no_target
    assert len(merged.conflicts) == 1


def test_hops_and_depth_are_merged_together() -> None:
    mine = BASE.model_copy(update={"hops": ("a", "b"), "depth": 2})
    assert (merge(BASE, mine, BASE).sample.hops, merge(BASE, mine, BASE).sample.depth) == (("a", "b"), 2)


versions = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from([ONE, TWO, THREE])), max_size=3, unique_by=lambda p: p[0]
).map(lambda pairs: with_instances(*(instance(key, mask) for key, mask in pairs)))


@given(versions, versions, versions)
def test_a_merge_is_always_a_sample_and_loses_no_mask_that_one_side_made(
    base: Sample, mine: Sample, theirs: Sample
) -> None:
    merged = merge(base, mine, theirs)
    assert Sample.parse(merged.sample.plain()) == merged.sample
    kept = [i.mask for i in merged.sample.instances]
    for side in (mine, theirs):
        new = [i for i in side.instances if i.id not in {b.id for b in base.instances}]
        assert all(i.mask in kept for i in new)


@given(versions, versions)
def test_merging_with_an_unchanged_side_gives_the_other(base: Sample, changed: Sample) -> None:
    for merged in (merge(base, changed, base), merge(base, base, changed)):
        assert merged.conflicts == ()
        assert sorted(merged.sample.instances, key=lambda i: i.id) == sorted(changed.instances, key=lambda i: i.id)
