"""How the studio looks: paper and ink with terracotta by day, the same by lamplight."""

from __future__ import annotations

from typing import Any

CSS = """
#brand { padding: 4px 2px 0; }
#brand h1 {
  font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, serif;
  font-size: 2.1rem; font-weight: 600; letter-spacing: -0.02em; line-height: 1.1; margin: 0;
}
#brand h1 span { color: var(--color-accent); }
#brand p { margin: 2px 0 0; color: var(--body-text-color-subdued); }
#studio { gap: 22px; }
.card { background: var(--block-background-fill); border: 1px solid var(--border-color-primary);
  border-radius: 14px; padding: 14px; }
.note p { margin: 0; font-size: .92rem; color: var(--body-text-color-subdued); }
.note strong { color: var(--body-text-color); }
#samples { border: 0; min-width: 0; }
#samples .grid-wrap { padding: 2px; }
#samples .grid-container { gap: 6px; grid-template-columns: repeat(6, minmax(0, 1fr)) !important; }
button input[type=file] { display: none; }
.tool-row { flex-wrap: nowrap; gap: 8px; }
.tool-row > * { min-width: 0 !important; }
#samples button.thumbnail-item { border-radius: 10px; }
#result-slider { border-radius: 14px; overflow: hidden; }
.chips button { border-radius: 999px !important; font-weight: 500; }
button:focus-visible, input:focus-visible, textarea:focus-visible, [tabindex]:focus-visible {
  outline: 3px solid var(--color-accent) !important; outline-offset: 2px; }
.skip-link { position: absolute; left: -999px; }
.skip-link:focus { left: 12px; top: 8px; z-index: 99; padding: 8px 14px; border-radius: 8px;
  background: var(--color-accent); color: var(--button-primary-text-color); }
@media (max-width: 640px) {
  #brand h1 { font-size: 1.6rem; }
  #studio { gap: 12px; flex-direction: column; flex-wrap: nowrap; }
  #studio > .column { width: 100%; }
  .column, .block { min-width: 0 !important; }
  .tool-row button { min-height: 44px; }
}
@media (prefers-reduced-motion: reduce) { * { animation-duration: .01ms !important; } }
"""

GLOBAL_CSS = """
.gradio-container { max-width: 1280px !important; margin: 0 auto !important; }
body.dark, .dark { --color-accent: #f0a17f !important; }
.gradio-container time, .gradio-container .controls span,
.gradio-container .playback, .gradio-container .playback span { color: inherit !important; }
/* Gradio nests a button in a button here; the drop area does the same. */
.gradio-container .icon-button:has(button), .gradio-container .icon-button:has(input) {
  display: none; }
@media (max-width: 640px) { .gradio-container .wrap > main { padding: 0; } }
"""
"""Rules for what lies outside the page's own content, where Gradio would scope them away."""

TERRACOTTA = ("#fdf3ee", "#fae2d6", "#f4c3ac", "#eca07d", "#e27d52", "#c9562f", "#a8401f",
              "#87331a", "#6b2a18", "#552316", "#2e1009")  # fmt: skip

COLOURS = {
    "body_background_fill": "#faf7f2",
    "body_background_fill_dark": "#14120f",
    "body_text_color": "#211c17",
    "body_text_color_dark": "#f3ece3",
    "body_text_color_subdued": "#5e554b",
    "body_text_color_subdued_dark": "#b9aea1",
    "background_fill_primary": "#fffdf9",
    "background_fill_primary_dark": "#1d1a16",
    "background_fill_secondary": "#f4efe7",
    "background_fill_secondary_dark": "#24201b",
    "block_background_fill": "#fffdf9",
    "block_background_fill_dark": "#1d1a16",
    "block_border_color": "#e4dbcf",
    "block_border_color_dark": "#38322b",
    "border_color_primary": "#e4dbcf",
    "border_color_primary_dark": "#38322b",
    "block_label_background_fill": "#fffdf9",
    "block_label_background_fill_dark": "#1d1a16",
    "block_label_text_color": "#5e554b",
    "block_label_text_color_dark": "#cfc4b7",
    "block_title_text_color": "#3c342c",
    "block_title_text_color_dark": "#e6dccf",
    "block_info_text_color": "#5e554b",
    "block_info_text_color_dark": "#b9aea1",
    "input_background_fill": "#ffffff",
    "input_background_fill_dark": "#14120f",
    "input_border_color": "#b3a797",
    "input_border_color_dark": "#5c5348",
    "input_placeholder_color": "#6f665c",
    "input_placeholder_color_dark": "#a1968a",
    "color_accent": "#a8401f",
    "color_accent_soft": "#fae2d6",
    "color_accent_soft_dark": "#3a231a",
    "link_text_color": "#a8401f",
    "link_text_color_dark": "#f0a17f",
    "slider_color": "#a8401f",
    "slider_color_dark": "#e27d52",
    "button_primary_background_fill": "#a8401f",
    "button_primary_background_fill_hover": "#87331a",
    "button_primary_text_color": "#ffffff",
    "button_primary_background_fill_dark": "#eca07d",
    "button_primary_background_fill_hover_dark": "#f4c3ac",
    "button_primary_text_color_dark": "#24110a",
    "button_primary_text_color_hover_dark": "#24110a",
    "button_secondary_background_fill": "#f0e8dd",
    "button_secondary_background_fill_hover": "#e6dbcc",
    "button_secondary_text_color": "#2c251e",
    "button_secondary_background_fill_dark": "#2e2922",
    "button_secondary_background_fill_hover_dark": "#3b342b",
    "button_secondary_text_color_dark": "#f3ece3",
    "button_cancel_background_fill": "#fbe3e0",
    "button_cancel_text_color": "#8f1d14",
    "button_cancel_background_fill_dark": "#431b17",
    "button_cancel_text_color_dark": "#ffc9c2",
}
"""What the page's parts are coloured by, in Gradio's names; those in `_dark` hold at night."""


def theme() -> Any:
    """The studio's Gradio theme; system fonts, so that nothing is fetched."""
    from gradio.themes import Base
    from gradio.themes.utils import colors, sizes

    accent = colors.Color(*TERRACOTTA, name="terracotta")
    sans = ("ui-sans-serif", "system-ui", "Segoe UI", "Helvetica Neue", "sans-serif")
    mono = ("ui-monospace", "SFMono-Regular", "Consolas", "monospace")
    base = Base(
        primary_hue=accent,
        secondary_hue=accent,
        neutral_hue=colors.stone,
        radius_size=sizes.radius_lg,
        font=sans,
        font_mono=mono,
    )
    return base.set(**COLOURS)
