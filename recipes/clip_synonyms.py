"""More ways to name each class, for the prompts that CLIP is trained with.

The sentence space alone places rare words badly; a wide vocabulary teaches the
projection which of its directions mean colour, mood or age. No wording held out for judging is
here, nor another form of one: `tests/recipes/test_clip_recipe.py` checks it.
"""

from __future__ import annotations

SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    "sex": {
        "male": ("chap", "lad", "dude", "sir", "masculine face", "grandpa", "father", "mister"),
        "female": ("lady's face", "gal", "madam", "feminine face", "grandma", "mother", "miss"),
    },
    "age": {
        "child": ("toddler", "little one", "schoolchild", "preschooler", "infant", "ten-year-old"),
        "young": ("teenager", "college student", "youth", "in the prime of youth", "adolescent"),
        "middle": ("forty-year-old", "fifty-year-old", "middle-age adult", "no longer young"),
        "old": ("grandparent", "retiree", "eighty-year-old", "geriatric", "ancient", "very aged"),
    },
    "hair_color": {
        "black": ("coal-black hair", "inky hair", "midnight hair", "charcoal-dark hair"),
        "brown": ("chocolate hair", "mocha hair", "hazel hair", "umber hair", "nut-brown hair"),
        "blond": ("platinum hair", "honey-colored hair", "sandy hair", "straw-colored hair"),
        "red": (
            "carrot-colored hair",
            "rust-colored hair",
            "fiery hair",
            "a redhead",
            "flame hair",
        ),
        "gray": ("salt-and-pepper hair", "steel-colored hair", "ash-gray hair", "slate hair"),
        "white": ("ivory hair", "milk-white hair", "chalk-white hair", "very pale white hair"),
    },
    "hair_length": {
        "none": ("a naked scalp", "hair completely gone"),
        "short": ("a pixie cut", "a crew cut", "hair cut very close", "brief hair", "a short cut"),
        "medium": ("hair to the chin", "mid-length hair", "hair neither long nor short"),
        "long": ("waist-length hair", "hair falling on the shoulders", "a long mane"),
    },
    "hair_style": {
        "bald": ("with a shiny scalp", "chrome-domed", "without any hair on the head"),
        "balding": ("losing hair", "with thinning hair", "with hair only at the sides"),
        "buzz": ("with clipped hair", "with cropped stubbly hair", "with hair like a recruit"),
        "afro": ("with a round mass of curls", "with frizzy natural hair"),
        "ponytail": ("with hair pulled back", "with a hair tie behind the head"),
        "braid": ("with a pigtail", "with woven hair", "with a French braid"),
        "bob": ("with a pageboy cut", "with straight chin-length hair"),
        "wavy": ("with rippling hair", "with beach waves", "with curly waves"),
    },
    "beard": {
        "none": ("hairless chin", "with bare cheeks", "freshly shaved", "with no facial hair"),
        "stubble": ("with bristles", "not shaved for days", "with a scruffy chin"),
        "moustache": ("with hair on the upper lip", "with a handlebar", "with a tash"),
        "goatee": ("with a tuft on the chin", "with a van dyke", "with a pointed beard"),
        "full": ("with a bushy beard", "with a long beard", "hairy-faced", "with facial hair"),
    },
    "glasses": {
        "none": ("with bare eyes", "without eyewear", "glasses taken off", "no eyeglasses"),
        "clear": ("in reading glasses", "with lenses in a frame", "wearing a pair of glasses"),
        "sunglasses": ("with dark lenses", "with tinted glasses", "in black sunglasses"),
    },
    "expression": {
        "neutral": ("with a blank face", "calm", "straight-faced", "emotionless", "composed"),
        "smile": ("joyful", "delighted", "glad", "content", "with lips curved up", "friendly"),
        "laugh": ("roaring with laughter", "in hysterics", "chuckling", "very amused", "hilarious"),
        "sad": ("gloomy", "depressed", "miserable", "melancholy", "dejected", "mournful", "upset"),
        "crying": ("shedding tears", "bawling", "wailing", "with wet cheeks", "teary-eyed"),
        "angry": ("wrathful", "outraged", "raging", "livid", "glaring", "cross", "infuriated"),
        "surprised": ("startled", "taken aback", "wide-eyed", "in shock", "gasping", "astounded"),
        "afraid": ("panicked", "terrified", "alarmed", "in fear", "petrified", "anxious"),
        "disgusted": ("repulsed", "nauseated", "wrinkling the nose", "sickened", "appalled"),
        "eyes_closed": ("sleeping", "with lowered lids", "eyes shut tight", "not looking"),
        "mouth_open": ("with jaw dropped", "with parted lips", "mouth agape", "shouting"),
        "tired": ("weary", "fatigued", "worn out", "dozing off", "yawn", "half asleep"),
    },
    "lipstick": {
        "yes": ("with red lips", "with glossy lips", "with made-up lips", "crimson lips"),
        "no": ("with plain lips", "with unpainted lips", "lips without color"),
    },
    "freckles": {
        "yes": ("with spots on the skin", "with a speckled nose", "dotted with freckles"),
        "no": ("with spotless skin", "with unmarked skin", "with flawless skin"),
    },
    "skin": {
        "light": ("with white skin", "porcelain-skinned", "with a milky face", "caucasian"),
        "medium": ("brown-skinned", "with bronzed skin", "with golden skin", "latino"),
        "dark": ("black-skinned", "with ebony skin", "with very dark skin", "african"),
    },
    "weight": {
        "thin": ("slender", "bony", "lean", "with hollow cheeks", "underweight"),
        "heavy": ("obese", "stout", "round-faced", "big", "with full cheeks", "double-chinned"),
    },
    "hat": {
        "yes": ("in a hat", "wearing headgear", "with a brimmed hat on"),
        "no": ("hatless", "with nothing on the head", "with an uncovered head"),
    },
    "makeup": {"yes": ("with cosmetics", "with shaded eyelids", "with a painted face")},
}
"""Attribute, class, wordings; the same classes as the renders' captions."""
