"""What everybody knows about the things of the world, and how it is said: the words that questions are made of.

Each phrase means one property, and no phrase contains the mark of a relation (`MARKS`), so that a question reads in one
way only. Plural forms differ in the noun and in "are" alone.
"""

from collections.abc import Mapping

# What a tool is for: a verb with its object, as in "what can one …?" and "the thing to …".
PURPOSES: Mapping[str, tuple[str, ...]] = {
    "cup": ("drink from", "sip tea from", "pour coffee into"),
    "key": ("unlock a door with", "open a padlock with"),
    "hammer": ("drive in a nail with", "knock in tacks with"),
    "umbrella": ("stay dry under", "keep off the rain with"),
    "lamp": ("read at night by", "light a dark room with"),
    "chair": ("sit on", "rest tired legs on"),
}
# What a part is for, as in "the part that …".
PART_USES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("cup", "handle"): ("the hand holds", "the fingers grip"),
    ("key", "bow"): ("the hand holds", "the fingers grip"),
    ("hammer", "handle"): ("the hand holds", "the fingers grip"),
    ("umbrella", "handle"): ("the hand holds", "the fingers grip"),
    ("hammer", "head"): ("strikes the nail", "does the hitting"),
    ("umbrella", "canopy"): ("stops the rain", "sheds the drops"),
    ("lamp", "shade"): ("softens the light", "hides the bulb"),
    ("chair", "back"): ("a tired person leans against", "props up the spine"),
}
COLOUR_FACTS: Mapping[str, tuple[str, ...]] = {
    "red": ("coloured like a ripe tomato", "coloured like blood", "coloured like a fire engine"),
    "green": ("coloured like grass", "coloured like a frog", "coloured like leaves in summer"),
    "blue": ("coloured like the deep sea", "coloured like a sapphire"),
    "yellow": ("coloured like a ripe lemon", "coloured like a canary"),
    "orange": ("coloured like a carrot", "coloured like a pumpkin"),
    "black": ("coloured like coal", "coloured like a raven"),
}
KIND_FACTS: Mapping[str, tuple[str, ...]] = {
    "circle": ("shaped like a coin", "shaped like a wheel"),
    "square": ("shaped like a chessboard", "shaped like a sugar cube seen from the front"),
    "triangle": ("shaped like a slice of pizza", "shaped like a give-way sign turned over"),
    "star": ("shaped like what tops a Christmas tree", "shaped like what a sheriff wears"),
    "cross": ("shaped like a plus sign", "shaped like the sign of a pharmacy"),
}
PATTERN_FACTS: Mapping[str, tuple[str, ...]] = {
    "striped": ("patterned like a zebra", "patterned like a tiger"),
    "dotted": ("patterned like a ladybird", "patterned like a fly agaric"),
    "plain": ("without any pattern", "as evenly coloured as a fresh wall"),
}
HALF_FACTS: Mapping[str, tuple[str, ...]] = {
    "upper": ("up where the sky would be", "in the half where clouds would float"),
    "lower": ("down where the ground would be", "in the half where grass would grow"),
}
REASONS: Mapping[str, str] = {
    "red": "tomatoes and blood are red", "green": "grass and frogs are green", "blue": "the sea is blue",
    "yellow": "lemons are yellow", "orange": "carrots are orange", "black": "coal is black",
    "circle": "coins are round", "square": "chessboards are square", "triangle": "pizza slices are triangles",
    "star": "such a thing is a star", "cross": "such a sign is a cross", "striped": "zebras are striped",
    "dotted": "ladybirds are dotted", "plain": "that means plain", "upper": "the sky is above",
    "lower": "the ground is below",
}  # fmt: skip
EXTREMES: Mapping[str, tuple[str, ...]] = {
    "left": ("leftmost",),
    "right": ("rightmost",),
    "top": ("topmost", "uppermost"),
    "bottom": ("bottommost", "lowermost"),
    "largest": ("largest", "biggest"),
    "smallest": ("smallest", "tiniest"),
}
FARTHEST: Mapping[str, str] = {  # the same, said after the noun
    "left": "farthest to the left among the",
    "right": "farthest to the right among the",
    "top": "farthest up among the",
    "bottom": "farthest down among the",
    "largest": "of the largest size among the",
    "smallest": "of the smallest size among the",
}
RELATIONS: Mapping[str, tuple[str, ...]] = {
    "left": ("to the left of the", "further left than the"),
    "right": ("to the right of the", "further right than the"),
    "above": ("above the", "higher up than the"),
    "below": ("below the", "further down than the"),
    "nearest": ("nearest to the", "closest to the"),
}
SHARED: Mapping[str, tuple[str, ...]] = {
    "colour": ("with the same colour as the", "in the same colour as the"),
    "kind": ("of the same kind as the",),
    "pattern": ("with the same pattern as the",),
}
MARKS = tuple(phrase for table in (RELATIONS, SHARED) for phrases in table.values() for phrase in phrases)
