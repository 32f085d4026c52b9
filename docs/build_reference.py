"""Write docs/reference/*.md from the docstrings of the public names.

python docs/build_reference.py            write the pages
python docs/build_reference.py --check    exit 1 when they are not up to date
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from multimodal.files.weights import atomic

HERE = Path(__file__).resolve().parent
OUT = HERE / "reference"
WIDTH = 96
SECTIONS = ("Args", "Returns", "Raises", "Yields")


@dataclass(frozen=True)
class Page:
    """One page: a title, what it is about, and modules with their public names."""

    title: str
    about: str
    modules: dict[str, tuple[str, ...]]


PAGES: dict[str, Page] = {
    "editor": Page(
        "The editor and its nouns",
        "Invert a face once, edit it often.",
        {
            "multimodal.editing.editor": ("FaceEditor", "Aligner"),
            "multimodal.editing.editing": ("embed", "edit", "apply", "replay"),
            "multimodal.editing.drawing.captioned": ("generate",),
            "multimodal.editing.choosing": ("pick_method", "model_options"),
            "multimodal.editing.stacking": ("Applied", "stacked"),
            "multimodal.editing.assemble": ("assemble", "model_folder"),
            "multimodal.types": (
                *("Face", "Latent", "Offset", "EditResult", "EditRequest", "Progress", "Toolkit"),
                *("Generator", "Encoder", "ClipModel", "SoundEmbedder", "Guidance"),
            ),
            "multimodal.images": ("load_image", "save_image", "to_tensor", "to_pil", "resize"),
        },
    ),
    "heads": Page(
        "Heads",
        "Heads of photos turned, lit, made to look elsewhere, and as meshes.",
        {
            "multimodal.heads.solid": ("solid_of", "Solid"),
            "multimodal.heads.posing": ("pose", "Pose", "Posed"),
            "multimodal.heads.light": ("direction_of",),
            "multimodal.heads.gltf": ("save_glb",),
        },
    ),
    "drawing": Page(
        "Drawing",
        "Faces from what somebody draws.",
        {
            "multimodal.editing.drawing.faces": ("draw_faces", "DrawOptions", "DrawnFace"),
            "multimodal.editing.drawing.conditions": (
                *("Condition", "Drawn", "strokes", "lines", "parts", "edges"),
            ),
        },
    ),
    "parsing": Page(
        "Parsing",
        "Which part of a face every pixel shows.",
        {
            "multimodal.parsing.parser": ("FaceParser",),
            "multimodal.parsing.photo": ("parse_photo", "ParsedPhoto"),
            "multimodal.parsing.matting": ("matte", "foreground", "cut_out"),
            "multimodal.parsing.few": ("learn_labels", "FewParser", "FewOptions"),
            "multimodal.parsing.files": ("load_parser", "model_parser", "save_parser"),
            "multimodal.parsing.network": ("ParserConfig", "ParserNetwork"),
            "multimodal.parsing.guided": ("guided_enlarge",),
        },
    ),
    "generators": Page(
        "Generators",
        "StyleGAN2, its checkpoint formats, the other families, and the models that have a name.",
        {
            "multimodal.generators.checkpoints": (
                *("load_generator", "save_generator", "inspect", "convert", "CheckpointInfo"),
            ),
            "multimodal.generators.registry": ("ModelSpec", "find_model", "tiny_generator"),
            "multimodal.generators.config": ("StyleGAN2Config", "channels_for"),
            "multimodal.generators.stylegan2": ("StyleGAN2",),
            "multimodal.generators.families.catalogue": ("Family", "find_family"),
            "multimodal.generators.families.base": ("Network",),
            "multimodal.generators.families.stylegan3": ("StyleGAN3",),
            "multimodal.generators.families.stylegan1": ("StyleGAN1",),
            "multimodal.generators.families.pggan": ("PGGAN",),
            "multimodal.generators.families.biggan_deep": ("BigGANDeep",),
            "multimodal.generators.families.biggan": ("BigGAN",),
            "multimodal.generators.families.dcgan": ("DCGAN", "WGAN"),
        },
    ),
    "latents": Page(
        "Latent spaces",
        "Maps between the spaces, and what is done in them.",
        {
            "multimodal.latents": (
                *("w_to_p", "p_to_w", "normalize_z", "broadcast_w", "styles_to_w_plus"),
                *("StylesInverse", "truncate", "lerp", "slerp", "interpolate", "layer_groups"),
                *("parse_layers", "layer_mask", "mix_styles"),
            ),
            "multimodal.inversion.whitening": ("PNStatistics", "estimate_pn", "pn_statistics"),
        },
    ),
    "inversion": Page(
        "Inversion",
        "From a picture to a code.",
        {
            "multimodal.inversion.invert": ("invert", "Inversion", "measure"),
            "multimodal.inversion.encoders.loading": ("load_encoder", "FaceEncoder"),
            "multimodal.inversion.encoders.hyperstyle": ("HyperStyle",),
            "multimodal.inversion.methods.monte_carlo": (
                "MonteCarloOptions",
                "sample",
                "Posterior",
            ),
            "multimodal.inversion.methods.layerwise": ("LayerOptions",),
            "multimodal.inversion.methods.programs": ("ProgramOptions", "undo_network"),
            "multimodal.inversion.methods.features": ("FeatureOptions",),
            "multimodal.inversion.options": (
                *("Weights", "EncoderOptions", "DescentOptions", "LbfgsOptions"),
                *("ProjectorOptions", "HybridOptions", "IdInvertOptions", "EvolutionOptions"),
                *("BasinOptions", "PivotalOptions"),
            ),
            "multimodal.inversion.methods.pivotal": ("tuned_generator",),
            "multimodal.inversion.methods.quick": ("QuickOptions",),
            "multimodal.inversion.methods.style_space": ("invert_styles",),
        },
    ),
    "faces": Page(
        "Faces in photos",
        "Find them, cut them out as FFHQ does, put them back.",
        {
            "multimodal.faces.detect": ("detect_faces", "pick_face", "DetectedFace"),
            "multimodal.faces.align": ("align", "cut", "ffhq_quad", "FaceTransform"),
            "multimodal.faces.crop": ("align_or_crop", "FaceAligner"),
            "multimodal.faces.paste": ("paste_back",),
            "multimodal.faces.pose": ("head_pose",),
        },
    ),
    "metrics": Page(
        "Metrics",
        "How close two faces are, and two sets of faces.",
        {
            "multimodal.metrics": (
                *("mse", "rmse", "mae", "psnr", "ssim", "Lpips", "landmark_distance", "cosine"),
                *("cosine_editability", "angle_difference", "frechet_distance", "kernel_distance"),
                *("frechet_segmentation",),
                *("sliced_wasserstein", "inception_score", "FeatureExtractor"),
                "ClassProbabilities",
            ),
            "multimodal.recognition.identity": ("load_identity", "IdentityNet", "face_crop"),
        },
    ),
    "guidance": Page(
        "Guidance",
        "Targets, losses, control, and the methods that turn a target into an offset.",
        {
            "guidance.registry": ("make_guidance",),
            "guidance.targets": (
                *("embed_text", "embed_image", "embed_sound", "embed_phrase", "mix"),
                *("direction", "parse_prompt", "Phrase", "named_templates"),
            ),
            "guidance.losses": (
                *("clip_loss", "directional_loss", "identity_loss", "outside_lpips", "latent_l2"),
                *("multi_crop", "embed_crops"),
            ),
            "guidance.controls.control": (
                *("Attributes", "restrict", "keep_attributes", "identity_limit", "blend"),
            ),
            "guidance.controls.channels": ("find_channels", "ChannelConfig", "Channels"),
            "guidance.controls.steering": ("learn_walk", "WalkConfig"),
            "guidance.controls.walks": ("learn_bent_walk", "BentWalk", "load_walk", "save_walk"),
            "guidance.controls.jacobian": (
                *("orthogonal_jacobian", "JacobianConfig", "angles", "hessian_penalty"),
            ),
            "guidance.controls.quality": ("quality_direction", "quality_scores", "own_good"),
            "guidance.controls.regions": ("region_mask", "mask_from_image"),
            "guidance.controls.layers": ("layer_mask",),
            "guidance.controls.edits": ("Edit", "EditList"),
            "guidance.clip": ("load_clip", "save_clip", "OpenClip"),
            "guidance.common": ("read_options", "draw", "apply_offset"),
            "guidance.methods.optimize": ("Optimize", "OptimizeConfig"),
            "guidance.methods.directions": (
                *("GlobalDirections", "DirectionConfig", "StatisticsConfig"),
                *("compute_statistics", "ChannelStatistics"),
            ),
            "guidance.methods.mapper": ("Mapper", "MapperTraining", "train_mapper", "load_mapper"),
            "guidance.methods.text_encoder": ("TextEncoding", "TextEncoderOptions", "TextEncoder"),
            "guidance.methods.delta": ("DeltaEdit", "DeltaOptions", "DeltaNetwork"),
            "guidance.methods.sound_optimize": ("SoundOptimize", "SoundConfig"),
            "guidance.controls.attributes": (
                *("sefa", "ganspace", "boundary", "conditional", "attribute_directions"),
            ),
            "guidance.methods.nada": ("adapt", "NadaConfig"),
        },
    ),
    "audio": Page(
        "Audio",
        "Sounds: reading, features, encoders into the text space, tracks over time.",
        {
            "audio.io": ("load_sound", "save_sound", "Sound"),
            "audio.features": ("log_mel", "FeatureConfig"),
            "audio.encoder": ("SoundEncoder", "SoundConfig", "load_encoder"),
            "audio.alignment": ("SoundEmbedder", "Adapter", "fit_adapter", "load_adapter"),
            "audio.registry": ("load_sound_encoder", "SoundFamily"),
            "audio.envelope": ("sound_track", "SoundTrack", "frame_loudness"),
            "audio.listen": ("listen", "rank", "class_vectors"),
        },
    ),
}
"""Every page of the reference, by file name."""


def pages() -> dict[str, str]:
    """The text of every file in docs/reference, by name."""
    texts = {f"{name}.md": _page(page) for name, page in PAGES.items()}
    rows = "\n".join(f"| [{p.title}]({name}.md) | {p.about} |" for name, p in PAGES.items())
    head = (
        "# API reference\n\nWritten from the docstrings by `python docs/build_reference.py`; do "
        "not edit by hand.\n\nPictures are `[B, 3, H, W]` in [-1, 1] and codes `[B, L, D]` "
        "wherever nothing else is said.\n\n| page | |\n| --- | --- |\n"
    )
    return {"index.md": head + rows + "\n", **texts}


def _page(page: Page) -> str:
    parts = [f"# {page.title}", page.about, "[All of the reference](index.md)"]
    for name, public in page.modules.items():
        module = importlib.import_module(name)
        parts += [f"## {name}", _module_text(module)]
        parts += [_item(module, item) for item in public]
    return "\n\n".join(part for part in parts if part) + "\n"


def _module_text(module: ModuleType) -> str:
    """The module's docstring; its tables are set in fixed width."""
    blocks = inspect.cleandoc(module.__doc__ or "").split("\n\n")
    fixed = [b.startswith(("=====", "    ")) or "::=" in b or " := " in b for b in blocks]
    pairs = zip(blocks, fixed, strict=True)
    return "\n\n".join(f"```\n{textwrap.dedent(b)}\n```" if f else b for b, f in pairs)


def _item(module: ModuleType, name: str) -> str:
    found = getattr(module, name)
    if not inspect.isclass(found):
        return f"### {name}\n\n{_code(_signature(name, found))}\n\n{_described(found.__doc__)}"
    parts = [f"### {name}", _code(_class_line(found)), _described(found.__doc__)]
    for key, member in vars(found).items():
        if not key.startswith("_") or key == "__call__":
            parts.append(_member(name, key, member))
    return "\n\n".join(part for part in parts if part)


def _member(owner: str, name: str, member: Any) -> str:
    """A method or property of a class; nothing for plain attributes."""
    if isinstance(member, property):
        kind = _annotation(inspect.signature(member.fget).return_annotation)  # type: ignore[arg-type]
        return f"#### {owner}.{name}\n\n`{kind}`: {_described(member.__doc__)}"
    inner = getattr(member, "__func__", member)
    inner = inspect.unwrap(inner) if callable(inner) else inner
    if not inspect.isfunction(inner):
        return ""
    decorator = f"@{type(member).__name__}\n" if isinstance(member, staticmethod) else ""
    decorator = "@classmethod\n" if isinstance(member, classmethod) else decorator
    call = _code(decorator + _signature(name, inner))
    return f"#### {owner}.{name}\n\n{call}\n\n{_described(inner.__doc__)}"


def _class_line(found: type) -> str:
    """How an object of the class is made."""
    bases = [b.__name__ for b in found.__bases__ if b is not object]
    if "Protocol" in bases:
        return f"class {found.__name__}(Protocol)"
    if "__init__" not in vars(found) and not dataclasses.is_dataclass(found):
        return f"class {found.__name__}"
    data = getattr(found, "__dataclass_params__", None)
    kind = "" if data is None else "@dataclass(frozen=True)\n" if data.frozen else "@dataclass\n"
    return kind + "class " + _signature(found.__name__, found).replace(" -> None", "")


def _signature(name: str, function: Callable[..., Any]) -> str:
    """A call, on one line where it fits, else one line an argument; private ones left out."""
    signature = inspect.signature(inspect.unwrap(function))
    words, keyword_only = [], False
    for parameter in signature.parameters.values():
        if parameter.name in ("self", "cls") or parameter.name.startswith("_"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            words.append("*")
            keyword_only = True
        words.append(_parameter(parameter))
    back = _annotation(signature.return_annotation)
    end = f" -> {back}" if back else ""
    short = f"{name}({', '.join(words)}){end}"
    if len(short) <= WIDTH:
        return short
    return f"{name}(\n" + "".join(f"    {word},\n" for word in words) + f"){end}"


def _parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    star = "**" if parameter.kind is parameter.VAR_KEYWORD else star
    kind = _annotation(parameter.annotation)
    text = f"{star}{parameter.name}" + (f": {kind}" if kind else "")
    if parameter.default is parameter.empty:
        return text
    return f"{text} = {_default(parameter.default)}"


def _default(value: Any) -> str:
    text = "..." if "HAS_DEFAULT_FACTORY" in repr(type(value)) else repr(value)
    return re.sub(r"\s*at 0x[0-9a-f]+", "", text)


def _annotation(value: Any) -> str:
    if value is inspect.Signature.empty:
        return ""
    text = value if isinstance(value, str) else inspect.formatannotation(value)
    return text.strip("'\"")


def _code(text: str) -> str:
    return f"```\n{text}\n```"


def _described(text: str | None) -> str:
    """A docstring as Markdown: sections become lists."""
    blocks: list[str] = []
    for block in inspect.cleandoc(text or "").split("\n\n"):
        title, _, body = block.partition(":\n")
        if title in SECTIONS and body:
            blocks.append(_section(title, textwrap.dedent(body)))
        else:
            blocks.append(block)
    return "\n\n".join(blocks)


def _section(title: str, body: str) -> str:
    """`Args:` and its like as a list; `Returns:` as a sentence."""
    if title in ("Returns", "Yields"):
        return f"*{title}:* {' '.join(body.split())}"
    items: list[str] = []
    for line in body.splitlines():
        if line.startswith(" ") and items:
            items[-1] += f" {line.strip()}"
        else:
            name, colon, rest = line.partition(": ")
            items.append(f"- `{name}`: {rest.strip()}" if colon else f"- {line}")
    return f"*{title}:*\n\n" + "\n".join(items)


def main() -> int:
    """Write the pages, or say which are not up to date."""
    texts, stale = pages(), []
    for name, text in texts.items():
        path = OUT / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                with atomic(path) as part:
                    part.write_text(text, encoding="utf-8")
    print(f"{len(texts)} pages, {len(stale)} changed{': ' if stale else ''}{', '.join(stale)}")
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
