"""Skin: a base colour by tone times the detail of the skin pictures, plus painted masks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from recipes.render.drawing.assets import Array, base_mesh, texture
from recipes.render.drawing.raster import Material
from recipes.render.factors import Factors
from recipes.render.head import masks

SKIN = Material(specular=0.16, shininess=14.0, wrap=0.12, scatter=0.16, rim=0.07)
_TONES = np.array(
    [
        [0.87, 0.715, 0.635],
        [0.86, 0.68, 0.57],
        [0.79, 0.58, 0.445],
        [0.62, 0.42, 0.30],
        [0.445, 0.285, 0.20],
        [0.30, 0.19, 0.14],
    ]
)
_PICTURES = {
    ("light", "female", "young"): (
        "young_lightskinned_female_diffuse",
        "young_lightskinned_female_diffuse2",
    ),
    ("light", "female", "middle"): ("middleage_lightskinned_female_diffuse",),
    ("light", "female", "old"): ("old_lightskinned_female_diffuse",),
    ("light", "male", "young"): (
        "young_lightskinned_male_diffuse",
        "young_lightskinned_male_diffuse2",
    ),
    ("light", "male", "middle"): ("middleage_lightskinned_male_diffuse",),
    ("light", "male", "old"): ("old_lightskinned_male_diffuse",),
    ("dark", "female", "young"): ("young_darkskinned_female_diffuse",),
    ("dark", "female", "middle"): ("middleage_darkskinned_female_diffuse",),
    ("dark", "female", "old"): ("old_darkskinned_female_diffuse",),
    ("dark", "male", "young"): ("young_darkskinned_male_diffuse",),
    ("dark", "male", "middle"): ("middleage_darkskinned_male_diffuse",),
    ("dark", "male", "old"): ("old_darkskinned_male_diffuse",),
}


def linear(color: Array | tuple[float, float, float]) -> Array:
    """Display colour to linear light (a 2.2 power)."""
    return np.power(np.asarray(color, np.float32), np.float32(2.2))


def skin_color(tone: float) -> Array:
    """Linear base colour [3] of a skin tone in [0, 1]."""
    at = np.linspace(0, 1, len(_TONES))
    return linear(np.array([np.interp(tone, at, _TONES[:, k]) for k in range(3)]))


def skin_texture(factors: Factors, root: Path) -> Array:
    """The skin [512, 512, 4] in linear light; the fourth channel is gloss."""
    out = np.empty((masks.TEXTURE_SIZE, masks.TEXTURE_SIZE, 4), np.float32)
    detail = _blend_detail(factors, root)
    out[..., :3] = detail * skin_color(factors.skin_tone)
    out[..., 3] = 1.0
    rng = np.random.default_rng([7, factors.seed])
    flush = np.array([1.0, 1.0 + 0.05 * rng.normal(), 1.0 + 0.06 * rng.normal()], np.float32)
    out[..., :3] *= flush
    _paint_lips(out, factors, root)
    _paint_make_up(out, factors, root)
    _paint_marks(out, factors, root)
    _paint_tears(out, factors, root)
    _paint_hair_roots(out, factors, root)
    return out


def skin_tint(root: Path) -> Array:
    """Vertex tint [V, 4]: the mouth's cavity is dark and wet."""
    return _mouth_tint(root)


@cache
def _mouth_tint(root: Path) -> Array:
    vertices = base_mesh(root).vertices
    tint = np.ones((len(vertices), 4), np.float32)
    x, y, z = np.abs(vertices[:, 0]), vertices[:, 1], vertices[:, 2]
    inside = (x < 0.45) & (y > 6.2) & (y < 6.95) & (z < 1.5) & (z > 0.3)
    uv = _vertex_uv(root)
    inside &= (uv[:, 0] < 0.1) | ((uv[:, 0] > 0.8) & (uv[:, 1] < 0.17))
    tint[inside, :3] = 0.10
    tint[inside, 3] = 0.3
    return tint


@cache
def _vertex_uv(root: Path) -> Array:
    mesh = base_mesh(root)
    uv = np.zeros((len(mesh.vertices), 2), np.float32)
    uv[mesh.tris.ravel()] = mesh.uvs[mesh.uv_tris.ravel()]
    return uv


@cache
def _detail(root: Path, name: str) -> Array:
    """A skin picture over the mean colour of its face, scalp stubble wiped off: [512, 512, 3]."""
    picture = linear(texture(root, f"skins/textures/{name}.png")[..., :3])
    p = masks.uv_positions(root)
    face = (p[..., 2] > 1.0) & (p[..., 1] > 6.3) & (p[..., 1] < 7.8)
    mean = np.median(picture[face], axis=0)
    ratio = np.clip(picture / mean, 0.25, 2.2).astype(np.float32)
    grown = masks.scalp(p, 0.18, 0.14)[..., None] * (p[..., 2:] > -50)
    return (ratio * (1 - grown) + grown).astype(np.float32)


@cache
def _group_detail(root: Path, tone: str, sex: str, age: str, variant: int) -> Array:
    names = _PICTURES[tone, sex, age]
    return _detail(root, names[variant % len(names)])


def _blend_detail(factors: Factors, root: Path) -> Array:
    dark = float(np.clip((factors.skin_tone - 0.45) / 0.4, 0, 1))
    old = float(np.clip(0.55 * (factors.age - 27) / 48 + 0.45 * factors.wrinkles, 0, 1))
    at = np.clip(old * 2, 0, 2)
    ages = {"young": max(0, 1 - at), "middle": 1 - abs(1 - at), "old": max(0, at - 1)}
    out = np.zeros((masks.TEXTURE_SIZE, masks.TEXTURE_SIZE, 3), np.float32)
    for tone, tone_share in (("light", 1 - dark), ("dark", dark)):
        for sex, sex_share in (("female", 1 - factors.sex), ("male", factors.sex)):
            for age, age_share in ages.items():
                share = tone_share * sex_share * age_share
                if share > 0.04:
                    out += np.float32(share) * _group_detail(root, tone, sex, age, factors.seed)
    out /= max(float(np.median(out)), 1e-3)
    if factors.age < 15:
        calm = np.float32(0.55 + 0.45 * max(factors.age - 8, 0) / 7)
        out = 1 + calm * (out - 1)
    return out


@cache
def _mask(root: Path, name: str) -> Array:
    p = masks.uv_positions(root)
    makers = {
        "lips": lambda: masks.front_mask(p, "lips"),
        "lines": lambda: masks.front_mask(p, "lines"),
        "tears": lambda: masks.front_mask(p, "tears"),
        "blush": lambda: masks.blob(p, 0.46, 6.95, 0.2, 0.13),
        "shadow": lambda: masks.blob(p, 0.31, 7.355, 0.19, 0.065),
        "rims": lambda: masks.blob(p, 0.31, 7.28, 0.2, 0.09),
        "nose": lambda: masks.blob(p, 0.0, 6.95, 0.12, 0.1),
        "scalp": lambda: masks.scalp(p),
        "horseshoe": lambda: masks.horseshoe(p),
    }
    if name in makers:
        return (makers[name]() * (p[..., 2] > -50)).astype(np.float32)
    return (masks.beard(p, name) * (p[..., 2] > -50)).astype(np.float32)


def _mix(out: Array, mask: Array, color: Array, amount: float) -> None:
    """Blend ``color`` [3] over the texture where ``mask`` says, in place, only rows and columns in
    use.
    """
    if amount <= 0:
        return
    rows, cols = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    if not len(rows):
        return
    window = (slice(rows[0], rows[-1] + 1), slice(cols[0], cols[-1] + 1))
    share = (mask[window] * np.float32(amount))[..., None]
    out[window][..., :3] += share * (color.astype(np.float32) - out[window][..., :3])


def _paint_lips(out: Array, factors: Factors, root: Path) -> None:
    lips = _mask(root, "lips")
    skin = skin_color(factors.skin_tone)
    natural = skin * np.array([0.80, 0.46, 0.47]) + np.array([0.01, 0.0, 0.002])
    fade = 0.55 + 0.1 * (1 - factors.sex) - 0.15 * float(factors.age > 60)
    _mix(out, lips, natural, fade)
    out[..., 3] += 0.8 * lips
    if factors.lipstick > 0:
        _mix(out, lips, linear(factors.lipstick_color), 0.5 + 0.45 * factors.lipstick)
        out[..., 3] += 1.6 * factors.lipstick * lips


def _paint_make_up(out: Array, factors: Factors, root: Path) -> None:
    skin = skin_color(factors.skin_tone)
    _mix(
        out,
        _mask(root, "shadow"),
        linear(factors.eye_shadow_color) * 0.7,
        0.95 * factors.eye_shadow,
    )
    pink = 0.4 * skin + 0.6 * linear((0.85, 0.35, 0.36)) * (0.35 + skin.mean())
    _mix(out, _mask(root, "blush"), pink, 0.6 * factors.blush + 0.10)
    _mix(out, _mask(root, "nose"), skin * np.array([1.0, 0.75, 0.72]), 0.18)


def _paint_marks(out: Array, factors: Factors, root: Path) -> None:
    if factors.freckles > 0:
        spots = _freckles(root, factors.seed % 4)
        brown = skin_color(factors.skin_tone) * np.array([0.58, 0.38, 0.27])
        _mix(out, spots, brown, 0.8 * factors.freckles)
    if factors.wrinkles > 0.05:
        furrow = skin_color(factors.skin_tone) * np.array([0.5, 0.38, 0.34])
        _mix(out, _mask(root, "lines"), furrow, 0.6 * factors.wrinkles)


def _paint_tears(out: Array, factors: Factors, root: Path) -> None:
    if factors.expression != "crying":
        return
    strength = factors.expression_strength
    skin = skin_color(factors.skin_tone)
    _mix(out, _mask(root, "rims"), skin * np.array([0.95, 0.5, 0.48]), 0.55 * strength)
    _mix(out, _mask(root, "nose"), skin * np.array([1.0, 0.55, 0.5]), 0.4 * strength)
    tears = _mask(root, "tears")
    _mix(out, tears, 0.8 * skin + 0.2 * np.array([0.75, 0.82, 0.9]), 0.6 * strength)
    out[..., 3] += 3.5 * strength * tears


def _paint_hair_roots(out: Array, factors: Factors, root: Path) -> None:
    color = linear(factors.hair_color)
    grain = 0.9 + 0.1 * np.clip(masks.noise(masks.TEXTURE_SIZE, 300, 1), -1.5, 1.5)
    style = factors.hair_style
    if style == "balding":
        _mix(out, _mask(root, "horseshoe") * grain, color, 0.75)
    elif style != "bald":
        cover = grain * 0.85 if style == "buzz" else 0.97
        _mix(out, _mask(root, "scalp") * cover, color, 1.0)
    if factors.beard_style != "none":
        dark = color * 0.75
        share = 0.28 + 0.3 * factors.beard_amount if factors.beard_style == "stubble" else 0.97
        name = "full" if factors.beard_style == "stubble" else factors.beard_style
        cover = grain if factors.beard_style == "stubble" else 1.0
        _mix(out, _mask(root, name) * cover, dark, share)


@cache
def _freckles(root: Path, seed: int) -> Array:
    p = masks.uv_positions(root)
    rng = np.random.default_rng([11, seed])
    zone = masks.blob(p, 0.3, 7.02, 0.3, 0.16) + masks.blob(p, 0.0, 7.1, 0.2, 0.1)
    zone = (zone + 0.05 * masks.blob(p, 0.0, 7.2, 0.6, 0.5)) * (p[..., 2] > -50)
    ys, xs = np.nonzero(zone > 0.02)
    weights = zone[ys, xs] / zone[ys, xs].sum()
    grid_y, grid_x = np.mgrid[-4:5, -4:5]
    out = np.zeros(zone.shape, np.float32)
    for k in rng.choice(len(ys), 230, p=weights):
        radius, level = rng.uniform(0.7, 1.25), rng.uniform(0.4, 0.9)
        cy, cx = int(ys[k]), int(xs[k])
        if 4 <= cy < zone.shape[0] - 5 and 4 <= cx < zone.shape[1] - 5:
            spot = level * np.exp(-(grid_x**2 + grid_y**2) / (radius**2))
            window = out[cy - 4 : cy + 5, cx - 4 : cx + 5]
            np.maximum(window, spot, out=window)
    return out
