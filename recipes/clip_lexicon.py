"""A wide vocabulary for each class: what a small text tower does not know must be told.

MiniLM's sentence space holds that a raven is a bird; that hair may be called after it, it learned
nowhere. The more words of a kind a class has, the likelier an unseen one falls among them. As in
`recipes.clip_synonyms`, no wording that is held out for judging is here, nor a form of one.
"""

from __future__ import annotations

_COLORS = {
    "black": "ebony, jet, onyx, obsidian, sable, pitch-black, inky black, sooty, crow-black, "
    "coal, licorice, tar-black, midnight-black, panther-black, pure black, black as "
    "night",
    "brown": "chestnut, chocolate, coffee, cocoa, walnut, hazelnut, caramel, mocha, tawny, "
    "umber, oak-brown, mahogany, dark brown, light brown, mousy, earth-brown, sepia, "
    "nutmeg, bark-brown",
    "blond": "golden, honey, wheat, sandy, straw, platinum, lemon, buttery, champagne, corn, "
    "sunny, yellow, cream-colored, bleached, sun-kissed, dirty-blond, ash-blond, "
    "gold, linen",
    "red": "ginger, auburn, scarlet, crimson, rusty, brick-red, fiery, flaming, carrot, "
    "tangerine, orange, strawberry, cherry, russet, cinnamon, bronze, henna, titian, "
    "fox-colored, reddish",
    "gray": "ashen, slate, pewter, steel, smoky, iron, grizzled, salt-and-pepper, leaden, "
    "charcoal-gray, nickel, tin-colored, platinum-gray, metallic gray, moon-gray, "
    "greying",
    "white": "ivory, milk-white, chalky, cotton-white, pearl, alabaster, frost-white, icy "
    "white, cloud-white, paper-white, bone-white, wintry white, albino, whitened, "
    "lily-white",
}
_HAIR = ("{} hair", "{} curls", "{} tresses", "{} strands", "a head of {} hair")

_WORDS: dict[str, dict[str, str]] = {
    "sex": {
        "male": "a male person, a masculine person, a gent, a boyish face, a manly face, "
        "an uncle, a husband, a king, a bro, a son, a monk",
        "female": "a female person, a feminine person, a womanly face, a girlish face, an "
        "aunt, a wife, a queen, a maiden, ma'am, a daughter, a nun",
    },
    "age": {
        "child": "a tiny tot, a kiddo, a minor, a juvenile, six years old, of "
        "primary-school age, a kindergartner, a pupil, prepubescent, a young one, a boy "
        "or girl",
        "young": "in early adulthood, a young grown-up, a fresh-faced adult, a student, "
        "barely an adult, a youthful adult, young-looking, in the bloom of youth",
        "middle": "in their fifties, in middle age, half-way through life, a mature adult, "
        "a parent of teenagers, with the first wrinkles, between young and old, "
        "in their mid-forties",
        "old": "grandfatherly, grandmotherly, very old, in their seventies, in their "
        "eighties, a retired person, of advanced years, wizened, "
        "ancient-looking, an oldster, an old-timer, with a wrinkled face, an aged human, "
        "a retired worker",
    },
    "hair_length": {
        "none": "no hair at all, a hairless scalp, an empty scalp",
        "short": "a boyish cut, hair above the ears, a close crop, hair cut short, hair "
        "clipped close, very short hair",
        "medium": "collar-length hair, hair to the neck, shoulder-skimming hair, hair "
        "reaching the chin, medium hair, hair ending at the chin, hair down to "
        "the chin",
        "long": "hair down the back, hair of great length, very long tresses, hair to "
        "the waist, a long fall of hair, extended hair, uncut long hair",
    },
    "hair_style": {
        "bald": "with a polished head, with nothing on the scalp, with the head shaved "
        "bare, bald as an egg, totally bald, completely hairless, with the head "
        "razored clean, with a shaved scalp, missing all hair, without hair",
        "balding": "half bald, with a bald patch, with a bald crown, with hair going at the "
        "temples, with sparse hair on top, with hair loss at the front, with a "
        "forehead growing higher",
        "buzz": "crew-cut, with hair cut like a soldier, with army-style hair, with hair "
        "shorn close, with clippered hair, with a marine's haircut",
        "afro": "with a ball of curly hair, with kinky hair, with big round curly hair, "
        "with a seventies afro, with afro-textured hair, with a large afro",
        "ponytail": "with hair fastened behind, with hair in a tail, with hair held back by "
        "a band, with hair bunched behind the head, with the hair drawn back, "
        "with a tail of hair",
        "braid": "with cornrows, with interlaced hair, with hair twisted into a rope, "
        "with entwined strands, with a braided tail, with a woven hairstyle",
        "bob": "with a straight cut to the chin, with a flapper cut, with a blunt cut, "
        "with a bob hairstyle, with a short bob, with a long bob",
        "wavy": "with flowing waves, with crimped hair, with waving hair, with gently "
        "curling hair, with hair like sea waves, with ripples in the hair, with "
        "wave-like hair",
    },
    "beard": {
        "none": "razor-clean, without any beard, just shaved, lacking a beard, shaved "
        "clean, with hairless cheeks, with a shaved chin",
        "stubble": "with day-old growth, with short bristly growth, with three-day growth, "
        "scratchy-faced, with rough cheeks, needing a shave, with evening "
        "growth, with beard stubble",
        "moustache": "with a toothbrush moustache, with a walrus moustache, with a hairy "
        "upper lip, with a pencil moustache, with a waxed moustache, with a "
        "'stache",
        "goatee": "with a small pointed beard, with a chin tuft, with hair on the chin "
        "only, with a soul patch, with a beard only on the chin, with a tiny "
        "beard under the mouth",
        "full": "with a shaggy beard, heavily bearded, with a lumberjack beard, with "
        "thick facial hair, with a wild beard, unshorn, a bearded man, a man "
        "with a big beard",
    },
    "glasses": {
        "none": "with no eyewear, not wearing any glasses, with uncovered eyes, free of "
        "glasses, without any eyeglasses, not in glasses",
        "clear": "with bifocals, in a pair of eyeglasses, wearing corrective lenses, "
        "four-eyed, wearing readers, with optical frames, with prescription "
        "glasses, glasses-wearing",
        "sunglasses": "with aviators, with blacked-out lenses, wearing tinted lenses, in "
        "sunnies, with sun-protective eyewear, wearing black glasses, with beach "
        "glasses",
    },
    "expression": {
        "neutral": "poker-faced, deadpan, unmoved, with no emotion, with a still face, "
        "stolid, unemotional, vacant, indifferent, with a relaxed face, showing "
        "nothing, unreadable",
        "smile": "smirking, with a broad smile, radiant, jolly, merry, in a good mood, "
        "thrilled, smiling from ear to ear, overjoyed, elated, with a toothy "
        "smile, sunny-faced, pleased",
        "laugh": "guffawing, howling with laughter, laughing hard, chortling, tickled, "
        "bursting out laughing, rolling with mirth, splitting one's sides, in "
        "stitches",
        "sad": "dismal, heartbroken, blue, feeling down, crestfallen, low-spirited, "
        "disheartened, sullen, woeful, forlorn, moping, long-faced, grieving, "
        "despondent, discouraged",
        "crying": "in floods of tears, blubbering, whimpering, snivelling, breaking down "
        "in tears, crying one's eyes out, sniffling, lamenting, tear-stained",
        "angry": "irritated, annoyed, wild with rage, hot-tempered, seething, boiling "
        "with anger, incensed, indignant, bad-tempered, snarling, hostile, "
        "aggressive, mad with rage",
        "surprised": "dumbfounded, speechless, bewildered, thunderstruck, caught off guard, "
        "incredulous, staggered, awestruck, floored, startled, blown away, "
        "open-eyed in wonder",
        "afraid": "aghast, frozen with terror, panic-stricken, spooked, terror-struck, "
        "shaken, trembling with fear, scared to death, fear-stricken",
        "disgusted": "repelled, sick to the stomach, grimacing with distaste, loathing, "
        "queasy, turning up the nose, put off by a smell, with a look of "
        "loathing",
        "eyes_closed": "with the eyes squeezed closed, in slumber, snoozing, with lids down, "
        "with closed lids, eyes not open, with both lids closed",
        "mouth_open": "with the mouth hanging open, singing, slack-jawed, calling out, "
        "yelling, with a wide open jaw, with lips apart, with an open jaw",
        "tired": "dozy, heavy-lidded, nodding off, needing sleep, lethargic, bleary-eyed, "
        "ready for bed, somnolent, worn-out, beat",
    },
    "lipstick": {
        "yes": "wearing red lip color, with rouged lips, with lip gloss, with vividly "
        "colored lips, with lips in red, with lip paint",
        "no": "with unadorned lips, with a natural mouth, with lips without make-up, "
        "without lip color, with nude lips",
    },
    "freckles": {
        "yes": "with a sprinkling of freckles, with small brown spots on the cheeks, "
        "with many freckles, with a freckled nose, freckle-faced",
        "no": "with uniform skin, with pure skin, with an unblemished face, without any spots",
    },
    "skin": {
        "light": "with ivory skin, white-skinned, with alabaster skin, pallid, "
        "lily-white, european, with light-toned skin, with rosy pale skin, "
        "nordic-looking, with a pale face",
        "medium": "with caramel skin, with beige skin, mediterranean, swarthy, sun-tanned, "
        "with honey-toned skin, hispanic, arab-looking, with brownish skin, with "
        "bronze skin",
        "dark": "with chocolate skin, with mahogany skin, with coal-dark skin, dusky, "
        "very dark-skinned, afro-american, with a dark face, with rich dark skin",
    },
    "weight": {
        "thin": "scrawny, emaciated, haggard, sunken-cheeked, hollow-faced, lanky, "
        "slight, narrow-faced",
        "heavy": "chunky, tubby, rotund, portly, well-fed, corpulent, fleshy, pudgy, "
        "full-figured, stocky",
    },
    "hat": {
        "yes": "with a felt hat, in a fedora, wearing a bowler, with a hat on the head, "
        "in a panama hat, wearing a homburg, hat-wearing",
        "no": "with no headgear, without headwear, with the hair uncovered, wearing no hat",
    },
    "makeup": {
        "yes": "made-up, with cosmetics on, with eye make-up, with colored eyelids",
    },
}


def _split(words: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in words.split(","))


LEXICON: dict[str, dict[str, tuple[str, ...]]] = {
    attribute: {value: _split(words) for value, words in classes.items()}
    for attribute, classes in _WORDS.items()
}
LEXICON["hair_color"] = {
    value: tuple(form.format(word) for word in _split(words) for form in _HAIR)
    for value, words in _COLORS.items()
}
"""Attribute, class, wordings."""
