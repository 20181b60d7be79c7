import pytest

from tests.builders import block, complete, instance, sample
from whyseg.curation.checking import questions
from whyseg.schemas import Query, Sample

DOT = block(0, 0, 1, 1)


def asked(text: str, *labels: str, alternates: tuple[str, ...] = ()) -> Sample:
    made = sample(query=text, instances=[instance(k, DOT, label) for k, label in enumerate(labels, 1)])
    return made.model_copy(update={"query": Query(text=text, alternates=alternates)})


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Which cup keeps the drink warm?", "cup"),
        ("Which CUPS keep the drink warm?", "Cup"),
        ("Which cup is full?", "cups"),
        ("Which coffee-cup is full?", "coffee cup"),
        ("Which coffee cup is full?", "coffee-cup"),
        ("Which coffeecup is full?", "coffee cup"),
        ("Which tea pot is full?", "teapot"),
        ("What do the knives lie on?", "knife"),
        ("The cup's handle?", "cup"),
        ("Wo ist die Tür?", "tür"),
        ("Что лежит на столе: чашка?", "чашка"),
    ],
)
def test_a_question_that_names_its_answer_is_found(text: str, label: str) -> None:
    (remark,) = questions.label_leak(asked(text, label))
    assert remark.evidence == {"label": label, "instance": 1, "box": [0, 0, 1, 1]}


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("What keeps the carpet clean?", "car"),
        ("Which of them is in the catalogue?", "cat"),
        ("What is in the teacup?", "cup"),
        ("Which object keeps the drink warm?", "object"),
        ("What keeps the drink warm?", ""),
        ("What do you drink coffee from, and a cup?", "coffee cup"),
        ("Стол", "то"),
    ],
)
def test_other_words_are_no_leak(text: str, label: str) -> None:
    assert list(questions.label_leak(asked(text, label))) == []


def test_a_label_is_told_once_a_text_and_paraphrases_count() -> None:
    found = list(questions.label_leak(asked("Which mug?", "mug", "MUG", "tea", alternates=("which one?", "what tea?"))))
    assert [remark.message.split(" names")[0] for remark in found] == ["the question", "paraphrase 2 of the question"]


def test_missing_type_and_hops_are_told_once_there_is_a_question() -> None:
    assert list(questions.missing_type(sample())) == list(questions.missing_hops(sample())) == []
    assert len(list(questions.missing_type(asked("what?")))) == len(list(questions.missing_hops(asked("what?")))) == 1
    assert list(questions.missing_type(complete())) == list(questions.missing_hops(complete())) == []
    (remark,) = questions.missing_hops(complete().model_copy(update={"hops": ()}))
    assert remark.message == "the question has no hops, its depth is 1 without them"


@pytest.mark.parametrize(("count", "found"), [(1, 1), (2, 0), (3, 1), (0, 0)])
def test_a_number_that_is_not_that_of_the_instances_is_found(count: int, found: int) -> None:
    remarks = list(questions.count_mismatch(asked("the two cups that hold tea", *["cup"] * count)))
    assert len(remarks) == found
    if found:
        assert remarks[0].evidence == {"phrase": "the two cups", "expected": [2], "instances": count}


def test_parts_of_one_instance_do_not_count() -> None:
    two_parts = block(0, 0, 6, 1).decode() | block(0, 5, 6, 1).decode()
    from whyseg.schemas import Mask

    made = sample(query="exactly one cup", instances=[instance(1, Mask.encode(two_parts))])
    assert list(questions.count_mismatch(made)) == []
