"""A mesh of 468 points over a face: the network that finds it, and which point is what."""

from multimodal.fidelity.mesh.finding import face_meshes
from multimodal.fidelity.mesh.points import BROWS, EYES, GROWN, INNER_LIPS, OUTER_LIPS, OVAL, POINTS

__all__ = ["BROWS", "EYES", "GROWN", "INNER_LIPS", "OUTER_LIPS", "OVAL", "POINTS", "face_meshes"]
