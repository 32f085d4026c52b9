"""The words that training captions use, by attribute and class; held-out ones live in
``heldout``.
"""

from __future__ import annotations

NOUNS: dict[tuple[str, str], tuple[str, ...]] = {
    ("male", "child"): ("boy", "male child", "little boy", "young boy", "kid"),
    ("female", "child"): ("girl", "female child", "little girl", "young girl", "kid"),
    ("male", "teen"): ("teenage boy", "male teenager", "young man", "boy"),
    ("female", "teen"): ("teenage girl", "female teenager", "young woman", "girl"),
    ("male", "young"): ("man", "guy", "male", "gentleman", "young man"),
    ("female", "young"): ("woman", "lady", "female", "young woman"),
    ("male", "middle"): ("man", "guy", "male", "gentleman", "middle-aged man"),
    ("female", "middle"): ("woman", "lady", "female", "middle-aged woman"),
    ("male", "old"): ("man", "gentleman", "old man", "elderly man", "grandfather", "male"),
    ("female", "old"): ("woman", "lady", "old woman", "elderly woman", "grandmother", "female"),
}
NEUTRAL_NOUNS = ("person", "human", "face", "head")

# Fragments; one-word (or hyphenated) ones may also stand before the noun.
WORDINGS: dict[str, dict[str, tuple[str, ...]]] = {
    "sex": {
        "male": ("man", "male", "gentleman", "guy", "boy"),
        "female": ("woman", "female", "lady", "girl"),
    },
    "age": {
        "child": ("child", "kid", "little child", "small child", "young child"),
        "young": ("young", "youthful", "young person", "young adult"),
        "middle": ("middle-aged", "middle-aged person", "adult in their forties", "mature"),
        "old": ("old", "elderly", "aged", "old person", "elderly person", "wrinkled old person"),
    },
    "hair_color": {
        "black": ("black hair", "dark black hair", "jet-black hair", "ebony hair"),
        "brown": ("brown hair", "chestnut hair", "brown-colored hair"),
        "blond": ("blond hair", "golden hair", "yellow hair", "fair hair", "light blond hair"),
        "red": ("red hair", "ginger hair", "auburn hair", "orange-red hair"),
        "gray": ("gray hair", "grey hair", "graying hair", "gray-colored hair"),
        "white": ("white hair", "pure white hair", "white-colored hair"),
    },
    "hair_length": {
        "none": ("no hair", "a bare scalp"),
        "short": ("short hair", "short-cut hair", "cropped hair", "a short haircut"),
        "medium": ("medium-length hair", "chin-length hair", "hair of medium length"),
        "long": ("long hair", "hair past the shoulders", "long flowing hair", "very long hair"),
    },
    "hair_style": {
        "bald": ("bald", "bald-headed", "hairless", "with a bald head", "with no hair"),
        "balding": ("balding", "with a bald top and hair at the sides", "going bald"),
        "buzz": ("with a buzz cut", "with a shaved head", "with very short buzzed hair"),
        "afro": ("with an afro", "with a big afro", "with curly afro hair"),
        "ponytail": ("with a ponytail", "with hair tied in a ponytail", "with tied-back hair"),
        "braid": ("with a braid", "with braided hair"),
        "bob": ("with a bob", "with a bob haircut", "with bob-cut hair"),
        "wavy": ("with wavy hair", "with waves in the hair", "wavy-haired"),
    },
    "beard": {
        "none": ("clean-shaven", "without a beard", "with no beard", "with a shaved face"),
        "stubble": ("with stubble", "with a stubbly chin", "unshaven", "with light stubble"),
        "moustache": ("with a moustache", "moustached", "with a moustache only"),
        "goatee": ("with a goatee", "with a goatee beard", "goateed"),
        "full": ("with a full beard", "with a beard", "bearded", "with a thick beard"),
    },
    "glasses": {
        "none": ("without glasses", "not wearing glasses", "with no glasses"),
        "clear": ("wearing glasses", "with glasses", "wearing eyeglasses", "with eyeglasses"),
        "sunglasses": ("wearing sunglasses", "with sunglasses", "wearing dark glasses"),
    },
    "expression": {
        "neutral": ("with a neutral expression", "expressionless", "with no smile", "serious"),
        "smile": ("smiling", "with a smile", "happy", "with a happy smile", "cheerful", "pleased"),
        "laugh": ("laughing", "with a laugh", "laughing out loud", "with a big laugh", "giggling"),
        "sad": ("sad", "with a sad expression", "unhappy", "sorrowful", "frowning sadly"),
        "crying": ("crying", "in tears", "weeping", "with tears on the cheeks", "tearful"),
        "angry": ("angry", "with an angry expression", "furious", "mad", "enraged", "scowling"),
        "surprised": ("surprised", "with a surprised look", "astonished", "amazed", "shocked"),
        "afraid": ("afraid", "scared", "frightened", "fearful", "with a terrified look"),
        "disgusted": ("disgusted", "with a disgusted look", "grossed-out", "sneering in disgust"),
        "eyes_closed": ("with closed eyes", "with eyes shut", "with both eyes closed", "asleep"),
        "mouth_open": ("with an open mouth", "with the mouth wide open", "open-mouthed"),
        "tired": ("tired", "sleepy", "yawning", "exhausted", "with a tired yawn"),
    },
    "lipstick": {
        "yes": ("wearing lipstick", "with lipstick", "with bright lipstick", "with colored lips"),
        "no": ("without lipstick", "with no lipstick", "with natural lips"),
    },
    "freckles": {
        "yes": ("with freckles", "freckled", "with freckles on the cheeks"),
        "no": ("without freckles", "with no freckles", "with clear skin"),
    },
    "skin": {
        "light": ("with light skin", "light-skinned", "pale-skinned", "with pale skin"),
        "medium": ("with tan skin", "with medium skin", "tan-skinned", "with light brown skin"),
        "dark": ("with dark skin", "dark-skinned", "with dark brown skin", "with black skin"),
    },
    "weight": {
        "thin": ("thin", "slim", "with a thin face", "skinny"),
        "heavy": ("heavy", "overweight", "with a round chubby face", "chubby", "fat"),
    },
    "hat": {
        "yes": ("wearing a hat", "with a hat", "wearing a fedora"),
        "no": ("without a hat", "with no hat"),
    },
    "makeup": {
        "yes": ("wearing make-up", "with make-up", "with eye shadow", "with painted eyelids")
    },
    "turn": {
        "left": ("turned to the left", "facing left", "looking to the left"),
        "right": ("turned to the right", "facing right", "looking to the right"),
        "front": ("facing the camera", "seen from the front", "looking straight ahead"),
    },
    "light": {
        "left": ("lit from the left", "with light from the left"),
        "right": ("lit from the right", "with light from the right"),
    },
    "background": {
        "dark": ("in front of a dark background", "against a dark backdrop"),
        "bright": ("in front of a bright background", "against a light backdrop"),
        "outdoor": ("outdoors", "in nature", "outside"),
    },
}
OPENINGS = (
    "a photo of {}",
    "a portrait of {}",
    "a picture of {}",
    "an image of {}",
    "{}",
    "{}",
    "a close-up of {}",
    "a headshot of {}",
    "a face of {}",
    "the face of {}",
)
