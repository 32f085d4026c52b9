"""Which of the 468 points of the face mesh is what (Kartynnik et al. 2019, arXiv 1907.06724)."""

from __future__ import annotations

POINTS = 468

OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The face's outline, from the middle of the forehead over the picture's right side."""

OUTER_LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
)  # fmt: skip
INNER_LIPS = (
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
"""Both from the corner at the picture's left over the upper lip, point beside point."""

EYES = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7),
    (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249),
)
"""The rims of the lids, from the outer corner over the upper lid; the picture's left eye first."""

BROWS = (
    (70, 63, 105, 66, 107, 46, 53, 52, 65, 55),
    (300, 293, 334, 296, 336, 276, 283, 282, 295, 285),
)
"""Upper edge from outside to inside, then the lower edge."""

GROWN = (
    93, 177, 213, 192, 207, 206, 165, 164, 391, 426, 427, 416, 433, 401, 323, 361, 288, 397, 365,
    379, 378, 400, 377, 152, 148, 176, 149, 150, 136, 172, 58, 132,
)  # fmt: skip
"""Around a full beard: over cheeks and upper lip, back along the jaw."""
