"""Runs migrations without a copy of every model before every operation.

Tortoise copies all models of a state before each operation, for those operations that look at what was before. Few do:
of a migration from nothing these copies are two thirds of the time.
"""

from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps
from tortoise.models import Model

Models = dict[str, dict[str, type[Model]]]


class _LateApps(StateApps):
    """The models of a state; those of a copy are made when somebody asks for one of them."""

    _states: dict[tuple[str, str], ModelState] | None = None

    @property
    def apps(self) -> Models:
        """The models by App and name."""
        if self._states is not None:
            states, self._states = self._states, None
            self._models = super().clone(states).apps
        return self._models

    @apps.setter
    def apps(self, models: Models) -> None:
        self._models = models

    def clone(self, model_states: dict[tuple[str, str], ModelState] | None = None) -> StateApps:
        if model_states is None:
            return super().clone()
        copy = _LateApps(self._default_connections, self._connections)
        copy._states = model_states
        return copy


class Replay(MigrationExecutor):
    """Tortoise's, whose states copy their models late."""

    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        state = await super()._project_state(applied, upto=upto)
        apps = _LateApps(state.apps._default_connections, state.apps._connections)
        apps.apps = state.apps.apps
        return State(state.models, apps)
