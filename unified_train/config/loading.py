"""Reading the configuration: environment over profile over project's file over user's file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unified_train import plugins
from unified_train.config import environment, secrets
from unified_train.config.files import places
from unified_train.config.origins import ARGUMENT, Origin, dotted
from unified_train.config.values import Config, near
from unified_train.errors import ConfigurationError
from unified_train.policy import Retry
from unified_train.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from unified_train.config.files import Places
    from unified_train.config.toml_file import TomlFile

_VARIABLES = {"provider": environment.PROVIDER, "image_host": environment.IMAGE_HOST}


def loaded(environ: Mapping[str, str], cwd: str | os.PathLike[str] | None, profile: str | None) -> Config:
    """See `Config.load`."""
    environment.warn_of_misspelled(environ)
    where = places(environ, cwd)
    files = where.read()
    profiles = sorted({name for file in files for name in _table(file.values, "profiles")})
    named = environment.told(environ, environment.PROFILE) if profile is None else profile
    origins = _of_variables(environ)
    if named is not None:
        _check_profile(named, profiles, files, where)
        origins["profile",] = Origin("variable", environment.PROFILE) if profile is None else ARGUMENT
    values: dict[str, Any] = {name: environ[_VARIABLES[name]].strip() for (name, *_) in origins if name in _VARIABLES}
    if files:
        values = _laid_over(values, files, named, origins)
    return _config(values, origins, named, profiles, files, environ)


def _of_variables(environ: Mapping[str, str]) -> dict[tuple[str, ...], Origin]:
    told = {name: variable for name, variable in _VARIABLES.items() if environment.told(environ, variable)}
    return {(name,): Origin("variable", variable) for name, variable in told.items()}


def _check_profile(name: str, known: Sequence[str], files: Sequence[TomlFile], where: Places) -> None:
    if name in known:
        return
    if not files:
        looked = f"{where.user} and for unified-train.toml in this folder and those above it"
        raise ConfigurationError(f"no profile {name!r}: there is no configuration file (looked for {looked})")
    there = f"there are: {', '.join(known)}" if known else f"{files[0].path} has none"
    raise ConfigurationError(f"no profile {name!r}; {there}")


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A table that may be missing, or be no table at all; that is told when the file is checked."""
    found = values.get(name, {})
    return found if isinstance(found, dict) else {}


def _laid_over(
    variables: Mapping[str, Any],
    files: Sequence[TomlFile],
    profile: str | None,
    origins: dict[tuple[str, ...], Origin],
) -> dict[str, Any]:
    """Check the files, and lay all values over each other; tells the origin of each."""
    try:
        from unified_train.config import sheet
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "pydantic_settings":
            raise
        raise ConfigurationError(
            f"{files[0].path}: a configuration file needs one more package: pip install 'unified-train[config]'"
        ) from None
    for file in files:
        sheet.check(file)
        _check_providers(file, file.values)
        for name, table in _table(file.values, "profiles").items():
            _check_providers(file, table, ("profiles", name))
    layers: list[Mapping[str, Any]] = [variables]
    for above in [("profiles", profile), ()] if profile is not None else [()]:
        for file in files:
            layer = _layer(file, above)
            layers.append(layer)
            for key in _leaves(layer):
                origins.setdefault(key, Origin("file", file=file, key=(*above, *key)))
    return sheet.laid_over(layers)


def _layer(file: TomlFile, above: tuple[str, ...]) -> Mapping[str, Any]:
    values: Mapping[str, Any] = file.values
    for name in above:
        values = values.get(name, {})
    return {name: value for name, value in values.items() if name != "profiles"}


def _leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        else:
            yield (*above, name)


def _check_providers(file: TomlFile, values: Mapping[str, Any], above: tuple[str, ...] = ()) -> None:
    """Refuse misspelled slugs, and keys that stand in the file itself, whichever vendor they are of.

    A slug that is like no other may be that of a plugin which is installed elsewhere.
    """
    from difflib import get_close_matches

    slugs = plugins.installed() if "providers" in values else []
    for slug, fields in _table(values, "providers").items():
        if slug not in slugs and get_close_matches(slug, slugs, n=1):
            key = (*above, "providers", slug)
            raise ConfigurationError(f"{file.place(key)}: no provider {slug!r} is installed; {near(slug, slugs)}")
        for field, value in fields.items():
            if secrets.names_secret(field) and not secrets.is_reference(value):
                key = (*above, "providers", slug, field)
                raise literal(file.place(key), dotted(key), environment.variable(slug, field))
    host = str(values.get("image_host", ""))
    if not secrets.is_reference(host) and "@" in host.partition("://")[2].partition("/")[0]:
        key = (*above, "image_host")
        raise literal(file.place(key), dotted(key), environment.IMAGE_HOST)


def literal(place: str, key: str, variable: str) -> ConfigurationError:
    """The error for a secret in a file; nothing of it is shown."""
    return ConfigurationError(
        f"{place}: {key} holds a secret itself; write where it is, such as {key.rpartition('.')[2]} ="
        f' "env:{variable}" ({secrets.HOW}), and renew the secret if others could read the file'
    )


def _config(  # noqa: PLR0917 - called in one place
    values: Mapping[str, Any],
    origins: Mapping[tuple[str, ...], Origin],
    profile: str | None,
    profiles: Sequence[str],
    files: Sequence[TomlFile],
    environ: Mapping[str, str],
) -> Config:
    journal = values.get("journal")
    if isinstance(journal, str):
        file = origins["journal",].file
        folder = file.path.parent if file else Path()
        journal = folder / os.path.expanduser(journal)  # noqa: PTH111 - Path's raises for a user that is not there
    return Config(
        provider=values.get("provider"),
        profile=profile,
        journal=journal,
        image_host=values.get("image_host"),
        retry=Retry(**values.get("retry", {})),
        polling=Polling(**values.get("polling", {})),
        providers=values.get("providers", {}),
        origins=origins,
        profiles=tuple(profiles),
        files=tuple(file.path for file in files),
        environ=environ,
    )
