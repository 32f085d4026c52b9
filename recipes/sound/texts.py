"""Wordings: many sentences for each thing that can be heard.

Training draws a wording at random each time, so that the encoder learns meanings and not one
template. A group is a forced choice: its classes exclude each other.
"""

from __future__ import annotations

Wordings = dict[str, tuple[str, ...]]

EVENTS: Wordings = {
    "laughter": (
        "a person laughing", "someone laughs out loud", "laughter", "a woman laughing",
        "a man laughing", "people laughing", "giggling", "a chuckle", "hahaha", "a hearty laugh",
        "a happy laughing person", "someone giggles", "the sound of laughter", "a belly laugh",
        "a person who laughs", "a laughing face", "cackling", "laughing",
    ),
    "crying": (
        "a person crying", "sobbing", "someone weeps", "a woman crying", "a man sobbing",
        "the sound of crying", "a crying person", "weeping", "an adult sobbing in tears",
        "someone cries and sniffles", "whimpering", "a sad person in tears", "crying",
        "someone sobs", "a crying face",
    ),
    "baby cry": (
        "a baby crying", "an infant cries", "a crying baby", "a newborn wailing", "baby cry",
        "a hungry baby screams", "the cry of a baby", "a baby", "infant cry", "a wailing infant",
    ),
    "scream": (
        "a person screaming", "a scream", "someone screams in fear", "a scream of terror",
        "a woman screaming", "a man screaming", "screaming", "a shriek", "a frightened person",
        "someone yells in horror", "the sound of screaming", "a terrified scream", "a loud scream",
        "shouting in panic", "a screaming face",
    ),
    "cough": (
        "a person coughing", "a cough", "someone coughs", "coughing", "a dry cough",
        "a sick person coughing", "the sound of coughing", "clearing the throat", "a man coughing",
        "a woman coughing", "a coughing fit",
    ),
    "sneeze": (
        "a person sneezing", "a sneeze", "someone sneezes", "sneezing", "achoo",
        "the sound of a sneeze", "a man sneezing", "a woman sneezing", "a loud sneeze",
    ),
    "gasp": ("a gasp", "someone gasps", "a person catching their breath", "gasping for air"),
    "sigh": ("a sigh", "someone sighs", "a tired person sighing", "a yawn", "someone yawns"),
    "snore": ("snoring", "a person snoring", "someone asleep and snoring"),
    "burp": ("a burp", "someone burps", "a belch"),
    "moan": ("a groan of pain", "someone moans", "a person groaning", "a grunt of effort"),
    "cheer": ("a crowd cheering", "people cheering", "a cheering crowd"),
    "applause": ("applause", "people clapping", "an audience claps"),
    "adult speech": (
        "a person speaking", "an adult speaking", "a man speaking", "a woman speaking", "speech",
        "someone talks", "adult speech", "a person talking", "a voice", "an adult's voice",
        "the voice of a grown-up", "conversation",
    ),
    "child speech": (
        "a child speaking", "a child's voice", "a kid talking", "a little girl speaking",
        "a little boy speaking", "a young child", "child speech", "children talking",
        "the voice of a child", "a child",
    ),
    "animal": (
        "an animal", "animal sounds", "a dog barking", "a bird singing", "a cat meowing",
        "the call of a wild animal", "birds chirping", "farm animals", "an animal sound", "a beast",
    ),
    "music": (
        "music", "a song playing", "a melody", "instruments playing", "background music",
        "musical instruments", "a piece of music", "electronic music", "an orchestra",
    ),
    "nature": (
        "sounds of nature", "rain falling", "wind blowing", "thunder", "flowing water",
        "ocean waves", "a thunderstorm", "a stream", "wind and rain", "natural ambience", "nature",
    ),
}  # fmt: skip

EMOTIONS: Wordings = {
    "neutral": (
        "a neutral voice", "a person speaking calmly without emotion", "a neutral tone of voice",
        "someone speaks in a flat, neutral way", "a neutral face", "an ordinary speaking voice",
        "neutral speech", "a neutral person",
    ),
    "calm": ("a calm voice", "someone speaks softly and calmly", "a calm, relaxed person"),
    "happy": (
        "a happy voice", "a person speaking happily", "a cheerful voice", "a joyful tone of voice",
        "someone sounds happy", "a happy smiling person", "a delighted voice", "happy speech",
    ),
    "sad": (
        "a sad voice", "a person speaking sadly", "a sorrowful voice", "an unhappy tone of voice",
        "someone sounds sad", "a sad person close to tears", "a depressed voice", "sad speech",
    ),
    "angry": (
        "an angry voice", "a person speaking angrily", "a furious voice", "an angry tone of voice",
        "someone sounds angry", "an angry shouting person", "an enraged voice", "angry speech",
    ),
    "fearful": ("a fearful voice", "a frightened person speaking", "someone sounds afraid"),
    "disgusted": ("a disgusted voice", "someone sounds disgusted", "a person full of disgust"),
    "surprised": ("a surprised voice", "someone sounds surprised", "an astonished person"),
    "bored": ("a bored voice", "someone sounds bored", "a weary, bored person"),
}  # fmt: skip

SEXES: Wordings = {
    "man": (
        "a man's voice", "a man speaking", "a male voice", "a man", "male speech",
        "the voice of a man", "a man talking",
    ),
    "woman": (
        "a woman's voice", "a woman speaking", "a female voice", "a woman", "female speech",
        "the voice of a woman", "a woman talking",
    ),
}  # fmt: skip

AGES: Wordings = {
    "child": (
        "a child's voice", "a child speaking", "a kid's voice", "a young child", "a boy or a girl",
    ),
    "adult": ("an adult's voice", "an adult speaking", "a grown-up's voice", "a grown person"),
}  # fmt: skip

GROUPS: dict[str, Wordings] = {
    "event": EVENTS, "emotion": EMOTIONS, "sex": SEXES, "age": AGES,
}  # fmt: skip

LABEL_TEMPLATES = ("{}", "the sound of {}", "a recording of {}", "{} can be heard")


def label_wordings(names: list[str]) -> Wordings:
    """Wordings of AudioSet's class names."""
    return {name: tuple(t.format(name.lower()) for t in LABEL_TEMPLATES) for name in names}


def spoken(sex: str, emotion: str) -> tuple[str, ...]:
    """Wordings that name both who speaks and how."""
    article = "an" if emotion[0] in "aeiou" else "a"
    return (
        f"{article} {emotion} {sex}'s voice",
        f"{article} {emotion} {sex} speaking",
        f"{article} {emotion} {sex}",
        f"a {sex} who sounds {emotion}",
    )


def pairs() -> Wordings:
    """Every sex and emotion together, as classes of their own."""
    return {f"{sex} {mood}": spoken(sex, mood) for sex in SEXES for mood in EMOTIONS}
