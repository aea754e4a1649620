"""The configuration as a value: what was read, where from, and what it means for one vendor."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import SecretStr

from unified_train.config import environment, secrets
from unified_train.config.origins import DEFAULT, Origin, dotted
from unified_train.errors import ConfigurationError, ProviderNotFound
from unified_train.policy import Retry
from unified_train.polling import Polling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unified_train.journal import Journal
    from unified_train.provider import AnyProvider, Settings


@dataclass(frozen=True, slots=True)
class Sourced:
    """A field of a vendor's settings, before a reference is followed.

    Attributes:
        value: As it is written; the default if it is set nowhere, None if there is none.
        origin: Where it comes from.
        secret: Whether it must not be shown.
    """

    value: object = field(repr=False)
    origin: Origin
    secret: bool

    @property
    def reference(self) -> str | None:
        """The reference, if the value is one; what the environment holds is taken as it is."""
        written = self.origin.kind != "variable" and isinstance(self.value, str)
        return str(self.value) if written and secrets.is_reference(self.value) else None


@dataclass(frozen=True, slots=True)
class Config:
    """What is configured; made by `Config.load`, or by hand for a program that wants no files.

    `Config()` has no files and no settings; vendors' credentials are still read from the environment. With
    `Config(environ={})` they aren't either.

    Attributes:
        provider: Slug of the vendor that `Client()` speaks to.
        profile: Name of the profile that was chosen.
        journal: Path; False to do without, None for the usual one.
        image_host: URL of the image host, or a reference to it.
        retry: How often requests are repeated.
        polling: When jobs are looked at.
        providers: Settings by slug and field; references are followed when a client for the vendor is made.
        origins: Where each value comes from, by its key; what is missing has its default.
        profiles: Names of those that there are.
        files: Those that were read, the strongest first.
        environ: For the vendors' variables, and for references.
    """

    provider: str | None = None
    profile: str | None = None
    journal: Path | Literal[False] | None = None
    image_host: str | None = field(default=None, repr=False)
    retry: Retry = field(default_factory=Retry)
    polling: Polling = field(default_factory=Polling)
    providers: Mapping[str, Mapping[str, object]] = field(default_factory=dict, repr=False)
    origins: Mapping[tuple[str, ...], Origin] = field(default_factory=dict, repr=False, compare=False)
    profiles: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        environ: Mapping[str, str] = os.environ,
        cwd: str | os.PathLike[str] | None = None,
        profile: str | None = None,
    ) -> Config:
        """Read environment and files, the environment having the last word; no reference is followed yet.

        Args:
            environ: Environment variables.
            cwd: Folder in which, and above which, `unified-train.toml` is looked for; the current one if None.
            profile: Of the files; if None, the one that `UNIFIED_TRAIN_PROFILE` names, if any.

        Raises:
            ConfigurationError: A file can't be used, holds a secret, or there is no such profile.
        """
        from unified_train.config.loading import loaded

        return loaded(environ, cwd, profile)

    def origin(self, *key: str) -> Origin:
        """Where a value comes from, such as that of `retry`, `attempts`."""
        return self.origins.get(key, DEFAULT)

    def chosen(self) -> type[AnyProvider]:
        """The vendor that `provider` names.

        Raises:
            ConfigurationError: None is named, or it can't be loaded.
        """
        from unified_train import plugins

        if self.provider is None:
            names = ", ".join(plugins.installed())
            raise ConfigurationError(
                f"name at least one provider, such as Client('novita'); installed are: {names}. Or set"
                f' {environment.PROVIDER}, or provider = "novita" in unified-train.toml'
            )
        try:
            return plugins.load(self.provider)
        except ProviderNotFound as error:
            raise ProviderNotFound(f"{self.origin('provider')}: {error}") from None

    # -- vendors -------------------------------------------------------------------------------------------------------

    def settings(self, kind: type[AnyProvider], explicit: Mapping[str, object] | None = None) -> Settings:
        """A vendor's settings; references are followed now.

        Args:
            kind: The vendor.
            explicit: By field; they have the last word, but for None.

        Raises:
            MissingCredentials: A required field is set nowhere, or a reference leads nowhere.
            ConfigurationError: A field is unknown or can't be used.
        """
        told = {name: value for name, value in (explicit or {}).items() if value is not None}
        values: dict[str, object] = {}
        for name, sourced in self.fields(kind).items():
            if name not in told and sourced.origin.kind != "default":
                values[name] = self._followed(sourced, dotted(("providers", kind.slug, name)))
        return kind.Settings.from_env(self.environ, **{**values, **told})

    def fields(self, kind: type[AnyProvider]) -> dict[str, Sourced]:
        """Each field of a vendor's settings, as it is written, and where; no reference is followed.

        Raises:
            ConfigurationError: A field is unknown, or holds a secret in a file.
        """
        self._check_fields(kind)
        return {name: self._sourced(kind, name) for name in kind.Settings.model_fields}

    def is_set_up(self, kind: type[AnyProvider]) -> bool:
        """Whether any credential of a vendor is given, well or not."""
        fields = self.fields(kind).values()
        return any(sourced.secret and sourced.origin.kind != "default" for sourced in fields)

    def _sourced(self, kind: type[AnyProvider], name: str) -> Sourced:
        about = kind.Settings.model_fields[name]
        secret = _holds_secret(about.annotation)
        for variable in environment.variables_of(kind, name):
            value = environment.told(self.environ, variable)
            if value is not None:
                return Sourced(value, Origin("variable", variable), secret)
        written = self.providers.get(kind.slug, {})
        if name in written:
            # A configuration that was made by hand names no place: its values are arguments.
            origin = self.origins.get(("providers", kind.slug, name), Origin("argument"))
            return Sourced(written[name], origin, secret)
        return Sourced(None if about.is_required() else about.default, DEFAULT, secret)

    def _check_fields(self, kind: type[AnyProvider]) -> None:
        from unified_train.config.loading import literal

        for name, value in self.providers.get(kind.slug, {}).items():
            key = ("providers", kind.slug, name)
            origin = self.origins.get(key, Origin("argument"))
            if name not in kind.Settings.model_fields:
                known = sorted(kind.Settings.model_fields)
                place = str(origin) if origin.file else "Config"
                raise ConfigurationError(f"{place}: unknown key {dotted(key)!r}; {near(name, known)}")
            secret = self._sourced(kind, name).secret
            if origin.file and secret and not secrets.is_reference(value):
                raise literal(str(origin), dotted(key), environment.variable(kind.slug, name))

    # -- what references stand for -------------------------------------------------------------------------------------

    def host(self) -> str | None:
        """URL of the image host; a reference is followed now.

        Raises:
            ConfigurationError: The reference leads nowhere.
        """
        if self.image_host is None:
            return None
        return str(self._followed(Sourced(self.image_host, self.origin("image_host"), secret=True), "image_host"))

    def usual_journal(self) -> Journal | None:
        """The journal of a client that names none; None to do without."""
        from unified_train.journal import Journal

        if self.journal is False:
            return None
        return Journal.usual(self.environ) if self.journal is None else Journal(self.journal)

    def _followed(self, sourced: Sourced, key: str) -> object:
        if sourced.reference is None:
            return sourced.value
        origin = sourced.origin
        place = f"{origin}: {key}" if origin.file else key
        return secrets.resolve(sourced.reference, self.environ, folder_of(origin), place)


def _holds_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def near(name: str, known: Sequence[str]) -> str:
    """What was probably meant."""
    from difflib import get_close_matches

    found = get_close_matches(name, known, n=1)
    return f"did you mean {found[0]!r}?" if found else f"known are {', '.join(known)}"


def folder_of(origin: Origin) -> Path:
    """Against which a relative path is read."""
    return origin.file.path.parent if origin.file else Path()
