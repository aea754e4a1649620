"""Recipes: one TOML file that says what to train on, how, and what to generate, for any vendor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from unified_train.checks import OnUnsupported
from unified_train.config.origins import dotted
from unified_train.config.toml_file import TomlFile
from unified_train.config.values import near
from unified_train.dataset import Dataset
from unified_train.errors import DatasetError, InvalidOptions, PluginError
from unified_train.models import GenerationRequest, TrainingRequest
from unified_train.records import Asked, Filled, OneWord, Record, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from pydantic import BaseModel, ModelWrapValidatorHandler, ValidationInfo

    from unified_train.provider import Options

VERSION = 1
"""Of the form of recipes."""

_Count = Annotated[int, Field(ge=1)]
_Seed = Annotated[int, Field(ge=0)]
_Extra = dict[str, dict[str, Any]]
_TYPES = {
    "tuple_type": "should be a list",
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "string_type": "should be a text in quotation marks",
}
"""Pydantic's kinds of error, in the words of TOML."""


class _Table(Record):
    """A table of the file; a number is no text, and a text is no number."""

    model_config = ConfigDict(strict=True)


class RecipeDataset(_Table):
    """The images.

    Attributes:
        path: Folder or zip archive; counts from the recipe's folder.
        trigger: Word that stands for what the images show.
        class_word: What kind of thing it is.
        caption: For images without one.
    """

    path: Filled
    trigger: OneWord | None = None
    class_word: Filled | None = None
    caption: Filled | None = None


class RecipeTraining(_Table):
    """What to train; all but the first and the last two as in `TrainingRequest`.

    Attributes:
        name: As the vendor shows it.
        kind: `subject` or `style`.
        base_model: The vendor's name of it.
        steps: In all.
        learning_rate: Such as 1e-4.
        rank: Of the LoRA.
        resolution: Of the training pictures.
        seed: For a repeatable training.
        on_unsupported: What to do with what a vendor has not: `error`, `warn` or `drop`.
        extra: What only one vendor has, by its slug.
    """

    name: Annotated[Filled, Field(max_length=64)]
    kind: Literal["subject", "style"] = "subject"
    base_model: str | None = None
    steps: _Count | None = None
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    rank: _Count | None = None
    resolution: _Count | None = None
    seed: _Seed | None = None
    on_unsupported: OnUnsupported = "error"
    extra: _Extra = {}


class RecipeGeneration(_Table):
    """What to generate: every prompt with every seed; the rest as in `GenerationRequest`.

    Attributes:
        prompts: With `{subject}` for the trained thing.
        seeds: If there are none, nobody says which.
        n: Pictures of each prompt and seed.
        negative_prompt: What to keep out.
        width: Pixels.
        height: Pixels.
        steps: Of denoising.
        guidance: How strictly to follow the prompt.
        on_unsupported: What to do with what a vendor has not: `error`, `warn` or `drop`.
        extra: What only one vendor has, by its slug.
    """

    prompts: Annotated[tuple[Filled, ...], Field(min_length=1, strict=False)]
    seeds: Annotated[tuple[_Seed, ...], Field(strict=False)] = ()
    n: _Count = 1
    negative_prompt: str | None = None
    width: _Count | None = None
    height: _Count | None = None
    steps: _Count | None = None
    guidance: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    on_unsupported: OnUnsupported = "warn"
    extra: _Extra = {}

    def requests(self) -> list[GenerationRequest]:
        """One request for each prompt and seed."""
        given = {name: value for name, value in self if name not in {"prompts", "seeds", "on_unsupported"}}
        seeds = self.seeds or (None,)
        return [GenerationRequest(prompt=prompt, seed=seed, **given) for prompt in self.prompts for seed in seeds]


class Recipe(Asked):
    """What is in a recipe.

    Attributes:
        version: Of the form; 1.
        dataset: The images.
        training: What to train.
        generation: What to generate; None if the recipe only trains.
    """

    version: Literal[1]
    dataset: RecipeDataset
    training: RecipeTraining
    generation: RecipeGeneration | None = None
    _file: TomlFile | None = PrivateAttr(None)

    @model_validator(mode="wrap")
    @classmethod
    def _explain(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        file = info.context
        try:
            return handler(data)
        except ValidationError as error:
            told = _problems(file, error) if isinstance(file, TomlFile) else sentence(cls, error)
            raise InvalidOptions(told) from None

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a recipe; its dataset is not looked at yet.

        Raises:
            ConfigurationError: There is no such file, it is no TOML, or no recipe; names file, line and key.
        """
        file = _read(Path(path))
        _check_version(file)
        recipe = cls.model_validate(file.values, context=file)
        _check_extra(file, "training", recipe.training.extra)
        if recipe.generation:
            _check_extra(file, "generation", recipe.generation.extra)
        return recipe

    def model_post_init(self, context: Any, /) -> None:
        """Keep the file, for places in messages and for the dataset's path."""
        self._file = context if isinstance(context, TomlFile) else None

    @property
    def path(self) -> Path | None:
        """The file; None if the recipe was made without one."""
        return self._file.path if self._file else None

    def training_request(self) -> TrainingRequest:
        """The training, with the dataset read.

        Raises:
            DatasetError: There is no dataset, or it can't be used.
        """
        told = self.dataset
        folder = self.path.parent if self.path else Path()
        try:
            images = Dataset.read(
                folder / Path(told.path).expanduser(),
                trigger=told.trigger,
                class_word=told.class_word,
                caption=told.caption,
            )
        except DatasetError as error:
            place = f"{self._file.place(('dataset', 'path'))}: " if self._file else ""
            raise DatasetError(f"{place}dataset.path: {error}") from None
        options = {name: value for name, value in self.training if name != "on_unsupported"}
        return TrainingRequest(dataset=images, **options)

    def generation_requests(self) -> list[GenerationRequest]:
        """One request for each prompt and seed; none if the recipe only trains."""
        return self.generation.requests() if self.generation else []


def schema() -> dict[str, Any]:
    """The JSON schema of recipes, for editors that complete and check them."""
    told = Recipe.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **told, "title": "unified-train recipe"}


def _read(path: Path) -> TomlFile:
    if path.is_dir():
        raise InvalidOptions(f"{path} is a folder; name the recipe file in it")
    if not path.exists():
        raise InvalidOptions(f"{path}: no such recipe")
    return TomlFile.read(path)


def _check_version(file: TomlFile) -> None:
    """Told before anything else: other versions may have other keys."""
    version = file.values.get("version")
    if version is None:
        raise InvalidOptions(f"{file.path}: version is missing; write version = {VERSION} at its beginning")
    if version != VERSION or isinstance(version, bool):
        raise InvalidOptions(
            f"{file.place(('version',))}: version: {version!r} is not known, only {VERSION}; upgrade unified-train if"
            " the recipe is newer"
        )


def _problems(file: TomlFile, error: ValidationError) -> str:
    """What is wrong, each with file and line."""
    told = [_problem(file, tuple(map(str, item["loc"])), item["type"], item["msg"]) for item in error.errors()]
    return "; ".join(dict.fromkeys(told))


def _problem(file: TomlFile, location: tuple[str, ...], kind: str, message: str) -> str:
    key = location
    while len(key) > 1 and file.line(key) is None:
        key = key[:-1]  # pydantic goes into lists, and says which key is missing
    if kind == "extra_forbidden":
        *table, name = location
        return f"{file.place(key)}: unknown key {dotted(location)!r}; {near(name, _names_at(tuple(table)))}"
    if kind == "missing":
        return f"{file.place(key) if key != location else file.path}: {dotted(location)} is missing"
    text = _TYPES.get(kind, message.removeprefix("Value error, ").removeprefix("Input "))
    return f"{file.place(key)}: {dotted(location)}: {text[:1].lower()}{text[1:]}"


def _names_at(table: tuple[str, ...]) -> list[str]:
    tables: dict[tuple[str, ...], type[BaseModel]] = {
        ("dataset",): RecipeDataset,
        ("training",): RecipeTraining,
        ("generation",): RecipeGeneration,
    }
    return sorted(tables.get(table, Recipe).model_fields)


def _check_extra(file: TomlFile, table: Literal["training", "generation"], extra: _Extra) -> None:
    """Refuse what no vendor that is installed here would understand; of others nothing is known."""
    from unified_train import plugins

    slugs = plugins.installed() if extra else []
    for slug, options in extra.items():
        key = (table, "extra", slug)
        if slug not in slugs:
            _refuse_near(file, key, slugs)
            continue
        try:
            provider = plugins.load(slug)
        except PluginError:
            continue  # told when it is wanted
        kind = provider.TrainingOptions if table == "training" else provider.GenerationOptions
        _check_options(file, key, kind, options)


def _refuse_near(file: TomlFile, key: tuple[str, ...], slugs: Sequence[str]) -> None:
    """Refuse a slug that is much like an installed one; any other may be that of a plugin installed elsewhere."""
    told = near(key[-1], slugs)
    if told.startswith("did you mean"):
        raise InvalidOptions(f"{file.place(key)}: {dotted(key)}: no provider {key[-1]!r} is installed; {told}")


def _check_options(file: TomlFile, key: tuple[str, ...], kind: type[Options], options: dict[str, Any]) -> None:
    known = sorted({name for field, about in kind.model_fields.items() for name in (field, about.alias or field)})
    for name in options:
        if name not in known:
            place = file.place((*key, name))
            raise InvalidOptions(f"{place}: unknown key {dotted((*key, name))!r}; {near(name, known)}")
    try:
        kind(**options)
    except InvalidOptions as error:
        raise InvalidOptions(f"{file.place(key)}: {dotted(key)}: {error}") from None
