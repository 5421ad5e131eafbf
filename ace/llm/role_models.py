"""Models behind the roles, and the meter that counts their calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ace.llm.client import Client
from ace.llm.meter import Caps, Meter


@dataclass(frozen=True, slots=True)
class RoleModels:
    """Hold one client for each role. Clients are expected to be metered already (`RoleModels.of` does it)."""

    generator: Client
    """Attempts samples."""

    reflector: Client
    """Says why attempts failed, and proposes lessons."""

    curator: Client
    """Puts the playbook in order."""

    meter: Meter
    """Counts the calls of all of them, for one run at a time."""

    @classmethod
    def of(
        cls,
        generator: Client,
        *,
        reflector: Client | None = None,
        curator: Client | None = None,
        caps: Caps | None = None,
    ) -> RoleModels:
        """Meter one model for all roles, with other models for the other roles where they are passed.

        `caps` bound what all of them take together. The clients stay the caller's, who closes them.
        """
        meter = Meter(caps)
        return cls(
            generator=meter.client(generator),
            reflector=meter.client(reflector or generator),
            curator=meter.client(curator or generator),
            meter=meter,
        )

    @property
    def models(self) -> Mapping[str, str]:
        """Return the models' names by role."""
        return {
            "generator": self.generator.model,
            "reflector": self.reflector.model,
            "curator": self.curator.model,
        }
