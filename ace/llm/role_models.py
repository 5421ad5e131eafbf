"""The models behind the roles, and the meter that counts their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ace.llm.client import Client
from ace.llm.meter import Caps, Meter


@dataclass(frozen=True, slots=True)
class RoleModels:
    """One client for each role. Clients are expected to be metered already (`RoleModels.of` does it)."""

    generator: Client
    reflector: Client
    curator: Client
    meter: Meter

    @classmethod
    def of(
        cls,
        generator: Client,
        *,
        reflector: Client | None = None,
        curator: Client | None = None,
        caps: Caps | None = None,
    ) -> RoleModels:
        """The models of all roles, one, with other models for the other roles where given."""
        meter = Meter(caps)
        return cls(
            meter.client(generator),
            meter.client(reflector or generator),
            meter.client(curator or generator),
            meter,
        )

    @property
    def models(self) -> Mapping[str, str]:
        return {
            "generator": self.generator.model,
            "reflector": self.reflector.model,
            "curator": self.curator.model,
        }
