import pytest

from whyseg.curation.checking.numbers import stated_count

STATED = {
    "the two cups that hold tea": {2},
    "two people who wait for the bus": {2},
    "Two of the dogs on the left": {2},
    "Segment the three red wooden chairs.": {3},
    "Please segment both dogs in the image.": {2},
    "Segment both of the dogs.": {2},
    "Can you find all four wheels that carry the car?": {4},
    "Show me the five fruits rich in vitamin C": {5},
    "Point out the six candles": None,  # "point" is too often a noun
    "Which two animals would flee first?": {2},
    "In this picture, which three children are about to fall?": {3},
    "Who are the two people that command?": {2},
    "Which are the two cups?": {2},
    "the two cups on the table that are full": {2},
    "Help me find the three keys": {3},
    "What are the twelve things that tell the hours?": {12},
    "Where are the seven dwarfs?": {7},
    "both women with umbrellas": {2},
    "a pair of shoes for the rain": {1, 2},
    "Find the pair of gloves": {1, 2},
    "the two that keep the drink warm": {2},
    "the TWO cups": {2},
    "exactly one cup that is full": {1},
    "Which only one window is open?": {1},
    "the eleven players in red": {11},
}
SILENT = [
    "Who are the two people in charge?",  # "Who are the two people in the boat calling?" is another question
    "What are the two men looking at?",
    "What are the two men doing in the boat?",
    "Where are the two men sitting?",
    "What two men look at",
    "Two people in the picture are riding, find the one in front",
    "Two dogs with collars, find the bigger one",
    "When two people play chess, what do they need?",
    "In tennis there are two people. Which one holds the ball?",
    "the TV show two men watch",
    "find three in a row",
    "Find both",
    "the one that keeps the drink warm",
    "one of the cups",
    "Which one is the heaviest?",
    "the two-wheeled vehicle",
    "the two wheeled vehicle",
    "What would a two-year-old play with?",
    "an animal with four legs",
    "the man between the two cars",
    "Which of the two cups is fuller?",
    "Segment the dog next to the two cats.",
    "What is the man holding with both hands?",
    "Two people are sitting. What do they sit on?",
    "The two cats look at something. What is it?",
    "the two men's hats",
    "the two dogs' bowl",
    "Segment the two dogs and the cat.",
    "both the cup and the plate",
    "What is both warm and edible?",
    "a pair of scissors",
    "the pair of glasses on the table",
    "two kinds of fruit",
    "two pairs of shoes",
    "What would melt in five minutes?",
    "Which animal came ten years later?",
    "someone who can lift three chairs",
    "the tone of the two-tone horn",
    "What number comes after two?",
    "the shelf on which two cups stand",
    "something that none of the three children wears",
    "",
    "?",
]


@pytest.mark.parametrize("text", STATED)
def test_a_number_of_what_is_asked_for_is_understood(text: str) -> None:
    found = stated_count(text)
    assert (set(found.counts) if found else None) == STATED[text]


@pytest.mark.parametrize("text", SILENT)
def test_a_number_of_something_else_is_passed_over(text: str) -> None:
    assert stated_count(text) is None


def test_the_words_that_say_so_are_given() -> None:
    found = stated_count("Please segment both of the big dogs that sleep.")
    assert found
    assert found.phrase == "both of the big dogs"
