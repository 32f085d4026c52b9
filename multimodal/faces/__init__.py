"""Faces in photos: find them, cut them out as FFHQ does, put them back."""

from multimodal.faces.align import FaceTransform, align, cut, ffhq_quad
from multimodal.faces.crop import MODES, FaceAligner, align_or_crop
from multimodal.faces.detect import DetectedFace, NoFaceError, detect_faces, pick_face
from multimodal.faces.paste import paste_back
from multimodal.faces.pose import head_pose

__all__ = [
    "MODES",
    "DetectedFace",
    "FaceAligner",
    "FaceTransform",
    "NoFaceError",
    "align",
    "align_or_crop",
    "cut",
    "detect_faces",
    "ffhq_quad",
    "head_pose",
    "paste_back",
    "pick_face",
]
