from whyseg.curation.checking import sets
from whyseg.curation.checking.base import Pictures, Seen
from whyseg.schemas import Split


def seen(number: int, image: str, text: str | None = None, split: Split | None = None) -> Seen:
    return Seen(f"s{number}", image, text, split)


def pictures(group: dict[str, str], released: dict[str, Split] | None = None) -> Pictures:
    return Pictures(group, released or {})


# b shows the same as a, c is alone
SAME = {"a": "a", "b": "a", "c": "c"}


def test_a_picture_that_shows_the_same_is_told_once() -> None:
    samples = [seen(1, "a"), seen(2, "b"), seen(3, "b"), seen(4, "c")]
    found = list(sets.near_duplicate_image(samples, pictures(SAME)))
    assert [(one.sample_id, remark.evidence) for one, remark in found] == [("s2", {"image": "a"})]


def test_questions_are_compared_where_the_pictures_are_the_same() -> None:
    samples = [
        seen(1, "a", "What keeps the drink warm?"),
        seen(2, "c", "What keeps the drink warm?"),  # of another picture
        seen(3, "b", "What keeps the drinks warm?"),
        seen(4, "a", "Who sits?"),
        seen(5, "a"),
    ]
    found = list(sets.near_duplicate_question(samples, pictures(SAME)))
    # one insertion between 26 and 27 characters: 1 - 1/53
    assert [(one.sample_id, remark.evidence) for one, remark in found] == [
        ("s3", {"sample": "s1", "similarity": 0.981})
    ]


def test_a_question_to_ten_pictures_is_told_once() -> None:
    group = {f"p{k}": f"p{k}" for k in range(10)}
    samples = [seen(k, f"p{k}", "Who sits?" if k % 2 else "who  SITS") for k in range(10)]
    found = list(sets.common_question(samples, pictures(group)))
    assert [(one.sample_id, remark.evidence) for one, remark in found] == [
        ("s0", {"pictures": 10, "samples": ["s0", "s1", "s2", "s3", "s4"]})
    ]
    same = {**group, "p9": "p8"}  # nine pictures that differ
    assert list(sets.common_question(samples, pictures(same))) == []


def test_a_leak_is_told_of_the_less_safe_side() -> None:
    samples = [seen(1, "a", split="train"), seen(2, "b", split="test"), seen(3, "c", split="train")]
    ((one, remark),) = sets.split_leak(samples, pictures(SAME))
    assert one.sample_id == "s1"
    assert remark.message == "the picture is in train, and shows the same as image b in test"
    assert remark.evidence == {"split": "train", "other": "test", "image": "b", "sample": "s2"}


def test_the_split_of_a_release_counts_before_the_sources() -> None:
    samples = [seen(1, "a", split="train"), seen(2, "b", split="test")]
    assert list(sets.split_leak(samples, pictures(SAME, {"a": "test", "b": "test"}))) == []
    assert len(list(sets.split_leak(samples, pictures(SAME, {"a": "train", "b": "validation"})))) == 1


def test_one_picture_that_a_source_puts_on_two_sides_leaks() -> None:
    samples = [seen(1, "c", split="test"), seen(2, "c", split="validation"), seen(3, "c", split="validation")]
    ((one, remark),) = sets.split_leak(samples, pictures(SAME))
    assert (one.sample_id, remark.message) == ("s2", "the picture is in validation, and is image c in test")


def test_pictures_without_a_split_leak_nothing() -> None:
    samples = [seen(1, "a", split="train"), seen(2, "b")]
    assert list(sets.split_leak(samples, pictures(SAME))) == []
