"""Which part of a face every pixel shows: skin, hair, brows, eyes, lips, glasses and others."""

from multimodal.parsing.classes import CLASSES, COLORS, PARTS
from multimodal.parsing.files import PARSER_FILE, load_parser, save_parser
from multimodal.parsing.network import ParserConfig, ParserNetwork
from multimodal.parsing.parser import FaceParser

__all__ = [
    "CLASSES",
    "COLORS",
    "PARSER_FILE",
    "PARTS",
    "FaceParser",
    "ParserConfig",
    "ParserNetwork",
    "load_parser",
    "save_parser",
]
