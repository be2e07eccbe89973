"""The models of the program, and those of one app: by name, and what ``DYNAMODB_MODELS`` says of each."""

from __future__ import annotations

import collections
import collections.abc as cabc
import typing as t
import warnings
import weakref

from dynaflask.config.settings import Settings
from dynaflask.config.settings import did_you_mean
from dynaflask.config.settings import merge_settings
from dynaflask.config.validators import Values
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import UnknownModel
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.declaration import full_name
from dynaflask.registry.declaration import has_own_declaration

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.model.typed import Model


class DeclaredModels:
    """The model classes that have been declared and are still in use.

    Attributes:
        count: Number of declarations. A result that is cached for all models is valid while it stays the same.
    """

    def __init__(self) -> None:
        # Weak references: a model that a function declares is collected when the program drops it.
        self._classes: weakref.WeakValueDictionary[int, type[Model]] = weakref.WeakValueDictionary()
        self.count = 0

    def add(self, model: type[Model]) -> None:
        """Add a model. A class without a ``Meta`` is a base of models, and no model."""
        if model.__declaration__ is None:
            return
        self._classes[id(model)] = model
        self.count += 1

    def classes(self) -> list[type[Model]]:
        """The model classes, in the order of their declaration.

        A class that is declared again, as in a notebook, replaces the first. Classes with one name for different
        tables, such as a function makes, all stay.
        """
        return list({(full_name(model), _table_name(model)): model for model in self.all_classes()}.values())

    def all_classes(self) -> list[type[Model]]:
        """The model classes, with those that are replaced and still in use."""
        # valuerefs() is a snapshot: values() may fail while another thread's model is collected.
        return [model for reference in self._classes.valuerefs() if (model := reference()) is not None]


#: The subclasses of ``dynaflask.Model``. Every extension object has them.
STATIC_MODELS: t.Final = DeclaredModels()


class AppModels(cabc.Mapping[str, "type[Model]"]):
    """One app's models by class name, or by ``module.ClassName`` where two share a class name.

    Args:
        dynamo: The extension object, which knows the models of the program.
        settings: The app's configuration.
        allowed_models: The models that the app is limited to; ``None`` for all.
    """

    def __init__(
        self, dynamo: Dynamo, settings: Settings, *, allowed_models: cabc.Iterable[type[Model]] | None = None
    ) -> None:
        self._dynamo = dynamo
        self._settings = settings
        self._allowed = None if allowed_models is None else {model.__declaration__ for model in allowed_models}
        self._names_are_checked = False

    def __getitem__(self, name: str) -> type[Model]:
        models = self.classes()
        matches = [model for model in models if name in {model.__name__, full_name(model)}]
        if not matches:
            hint = did_you_mean(name, [model.__name__ for model in models])
            hint = hint or " Import the module that declares it where the app is made."
            raise UnknownModel(name, f"The app {self._settings.app_name!r} has no model {name!r}.{hint}")
        if len(matches) > 1:
            raise AmbiguousModel(name, candidates=map(full_name, matches))
        return matches[0]

    def __iter__(self) -> cabc.Iterator[str]:
        models = self.classes()
        counts = collections.Counter(model.__name__ for model in models)
        return (model.__name__ if counts[model.__name__] == 1 else full_name(model) for model in models)

    def __len__(self) -> int:
        return len(self.classes())

    def __repr__(self) -> str:
        return f"<AppModels {list(self)}>"

    def classes(self) -> list[type[Model]]:
        """The model classes: subclasses of ``dynaflask.Model`` first, each kind in the order of its declaration."""
        declared = [*STATIC_MODELS.classes(), *self._dynamo._declared.classes()]
        return [model for model in declared if self._is_allowed(model.__declaration__)]

    def with_tenant_key(self) -> list[type[Model]]:
        """The model classes that have a ``TenantKey``.

        One that was declared again without it is among them as long as it is in use: the program may have written the
        items of tenants with it.
        """
        declared = [*STATIC_MODELS.all_classes(), *self._dynamo._declared.all_classes()]
        return [model for model in declared if model.__has_tenant_key__ and self._is_allowed(model.__declaration__)]

    @property
    def declared_count(self) -> int:
        """Number of models declared so far for the app's extension object, also those that the app is not given."""
        return STATIC_MODELS.count + self._dynamo._declared.count

    def check_table_names(self) -> None:
        """Refuse a model that is declared by now with a name that no table can have.

        Raises:
            ConfigurationError: As of `DeclaredMeta.check_table_name`.
        """
        for model in self.classes():
            t.cast("DeclaredMeta", model.__declaration__).check_table_name()

    def declaration_of(self, model: type[Model]) -> DeclaredMeta:
        """The declaration of a model, if the app has the model.

        Raises:
            RuntimeError: The model was declared with another ``Dynamo``.
            UnknownModel: The app was not given the model.
            AttributeError: The model has no ``Meta``.
        """
        declaration = getattr(model, "__declaration__", None)
        # A subclass of dynaflask.Model belongs to no extension object. A model of PynamoDB has no such attribute.
        if getattr(model, "__dynamo__", model) not in (None, self._dynamo):
            raise RuntimeError(
                f"{full_name(model)} was declared with another Dynamo than the app {self._settings.app_name!r} was"
                " initialised with. Derive it from dynaflask.Model, which every Dynamo serves; or make one `db ="
                " Dynamo()` in the program, and import it everywhere; or pass a model of PynamoDB to db.register."
            )
        if declaration is None:
            raise AttributeError(f"{full_name(model)} needs a Meta class with a table_name.")
        if not has_own_declaration(model):
            raise RuntimeError(
                f"{full_name(model)} has a Meta that db.register has not seen. Register this class as well."
            )
        if not self._is_allowed(declaration):
            name = full_name(model)
            raise UnknownModel(
                name,
                f"The app {self._settings.app_name!r} was not given the model {name}. Add it to init_app(app,"
                " models=[...]).",
            )
        return t.cast("DeclaredMeta", declaration)

    def configured(self, declaration: DeclaredMeta) -> Values:
        """What ``DYNAMODB_MODELS`` says of a model.

        Raises:
            AmbiguousModel: It names the model by a class name that another model has, too.
        """
        by_name = self._settings.models
        if not by_name:
            return by_name
        self._warn_of_unknown_names()
        if declaration.model_name in by_name:
            self[declaration.model_name]  # raises if two models share the name
        short, full = (by_name.get(name, {}) for name in (declaration.model_name, declaration.full_name))
        return merge_settings(short, full)

    def _is_allowed(self, declaration: DeclaredMeta | None) -> bool:
        return declaration is not None and (self._allowed is None or declaration in self._allowed)

    def _warn_of_unknown_names(self) -> None:
        # At the first use and not in init_app, because models may be declared after init_app.
        if self._names_are_checked:
            return
        self._names_are_checked = True
        names = {
            name
            for model in self.classes()
            for name in (model.__name__, full_name(model))
            # A class that shares its parent's Meta has no settings of its own.
            if model.__declaration__ and model.__declaration__.full_name == full_name(model)
        }
        for name in self._settings.models.keys() - names:
            hint = did_you_mean(name, names)
            warnings.warn(
                f"DYNAMODB_MODELS names {name!r}, which is no model of this app with a Meta of its own.{hint}",
                stacklevel=2,
            )


def _table_name(model: type[Model]) -> t.Any:
    return t.cast("DeclaredMeta", model.__declaration__).table_name
