"""Heads in photographs as solids: turned, lit from elsewhere, looking elsewhere, and as a mesh.

Depth is that of the face's mesh of 468 points, carried on over hair, ears and neck.
"""

from multimodal.heads.posing import Pose, Posed, pose
from multimodal.heads.solid import Solid, solid_of

__all__ = ["Pose", "Posed", "Solid", "pose", "solid_of"]
