"""Safety of texts: secrets, injections, prompt markup, copied sentences. Functions of texts only."""

from __future__ import annotations

from ace.safety.markup import defuse_markup, neutralise

__all__ = ["defuse_markup", "neutralise"]
