"""Recipes: read whole or refused with the place of the mistake, and the same request for every vendor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import CHELSEA

from unified_train import ConfigurationError, DatasetError, InvalidOptions
from unified_train.cli.app import cli
from unified_train.recipe import Recipe, schema

ROOT = Path(__file__).parents[1]
RECIPE = f"""\
version = 1

[dataset]
path = "{CHELSEA}"
trigger = "ohwx"
class_word = "cat"

[training]
name = "my-cat"
steps = 900
learning_rate = 1e-4

[training.extra.novita]
lr_scheduler = "cosine"

[generation]
prompts = ["{{subject}} in the snow", "{{subject}} in space"]
seeds = [7, 8]
n = 2
width = 512
"""


def write(folder: Path, text: str = RECIPE, name: str = "recipe.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def refusal(folder: Path, before: str, after: str) -> str:
    """What is said of a recipe with one place changed; the path of the file is taken out of it."""
    assert RECIPE.count(before) >= 1
    path = write(folder, RECIPE.replace(before, after, 1))
    with pytest.raises((ConfigurationError, DatasetError)) as caught:
        Recipe.load(path).training_request()
    return str(caught.value).replace(f"{path}", "recipe.toml")


def test_a_recipe_is_a_training_and_every_prompt_with_every_seed(tmp_path: Path) -> None:
    """What is in the file is in the requests, for any vendor."""
    recipe = Recipe.load(write(tmp_path))
    training = recipe.training_request()
    assert (training.name, training.steps, training.learning_rate) == ("my-cat", 900, 1e-4)
    assert (len(training.dataset.images), training.dataset.phrase) == (10, "ohwx cat")
    assert training.extra == {"novita": {"lr_scheduler": "cosine"}}
    assert (recipe.training.on_unsupported, recipe.generation and recipe.generation.on_unsupported) == ("error", "warn")
    assert [(one.prompt, one.seed, one.n, one.width) for one in recipe.generation_requests()] == [
        (f"{{subject}} in {where}", seed, 2, 512) for where in ("the snow", "space") for seed in (7, 8)
    ]


def test_a_recipe_may_only_train(tmp_path: Path) -> None:
    """Without a table `generation` nothing is generated, and what is left out has its default."""
    path = write(tmp_path, f'version = 1\ndataset.path = "{CHELSEA}"\ntraining.name = "x"\n')
    recipe = Recipe.load(path)
    assert (recipe.generation_requests(), recipe.path) == ([], path)
    assert recipe.training_request().kind == "subject"


def test_without_seeds_nobody_says_which(tmp_path: Path) -> None:
    """A prompt without seeds is one request without a seed."""
    recipe = Recipe.load(write(tmp_path, RECIPE.replace("seeds = [7, 8]\n", "")))
    assert [one.seed for one in recipe.generation_requests()] == [None, None]


def test_paths_count_from_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path of a dataset is meant from where the file is, wherever the program is."""
    (tmp_path / "photos").symlink_to(CHELSEA)
    path = write(tmp_path, RECIPE.replace(str(CHELSEA), "photos"))
    monkeypatch.chdir("/")
    assert len(Recipe.load(path).training_request().dataset.images) == 10


def test_captions_for_images_without_one_come_from_the_recipe(tmp_path: Path) -> None:
    """`dataset.caption` is what an image without a caption gets."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes((CHELSEA / "chelsea_01.jpg").read_bytes())
    text = 'version = 1\n[dataset]\npath = "photos"\ncaption = "a cat"\n[training]\nname = "x"\n'
    (image,) = Recipe.load(write(tmp_path, text)).training_request().dataset.images
    assert image.caption == "a cat"


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("steps = 900", "stepps = 900", "recipe.toml:10: unknown key 'training.stepps'; did you mean 'steps'?"),
        ("[generation]", "[generations]", "recipe.toml:16: unknown key 'generations'; did you mean 'generation'?"),
        ("n = 2", "labels = 2", "recipe.toml:19: unknown key 'generation.labels'; known are extra, guidance, height"),
        ("steps = 900", 'steps = "900"', "recipe.toml:10: training.steps: should be a whole number"),
        ("steps = 900", "steps = 900.0", "recipe.toml:10: training.steps: should be a whole number"),
        ("steps = 900", "steps = 1979-05-27", "recipe.toml:10: training.steps: should be a whole number"),
        ("steps = 900", "steps = 0", "recipe.toml:10: training.steps: should be greater than or equal to 1"),
        ("1e-4", '"1e-4"', "recipe.toml:11: training.learning_rate: should be a number"),
        ("1e-4", "nan", "recipe.toml:11: training.learning_rate: should be"),
        ('"my-cat"', "3", "recipe.toml:9: training.name: should be a text in quotation marks"),
        ('"my-cat"', '" "', "recipe.toml:9: training.name: must not be blank"),
        ('"ohwx"', '"oh wx"', "recipe.toml:5: dataset.trigger: must be one word"),
        ("[7, 8]", "7", "recipe.toml:18: generation.seeds: should be a list"),
        ("[7, 8]", '[7, "8"]', "recipe.toml:18: generation.seeds.1: should be a whole number"),
        ("[dataset]", "[[dataset]]", "recipe.toml:3: dataset: should be a table"),
        ('name = "my-cat"\n', "", "recipe.toml:8: training.name is missing"),
        ("[generation]\n", "[generation]\non_unsupported = 'drp'\n", "on_unsupported: should be 'error', 'warn' or"),
        ("version = 1", "version = 2", "recipe.toml:1: version: 2 is not known, only 1; upgrade"),
        ("version = 1", "version = true", "recipe.toml:1: version: True is not known"),
        ("version = 1\n", "", "recipe.toml: version is missing; write version = 1 at its beginning"),
        ('"cat"', '"cat', "recipe.toml: is no TOML: Illegal character '\\n' (at line 6, column 18)"),
        (str(CHELSEA), "nowhere", "recipe.toml:4: dataset.path: "),
        ("extra.novita", "extra.novitta", "recipe.toml:13: training.extra.novitta: no provider 'novitta' is installed"),
        ("lr_scheduler", "lr_schedule", "recipe.toml:14: unknown key 'training.extra.novita.lr_schedule'; did you"),
        ('"cosine"', '"cosinus"', "recipe.toml:13: training.extra.novita: NovitaTraining: lr_scheduler: input"),
        ("width = 512", "[generation.extra.novita]\nclipskip = 2", "'generation.extra.novita.clipskip'; did you mean"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, before: str, after: str, told: str) -> None:
    """Unknown keys, wrong types, unknown versions and missing datasets are named with file, line and key."""
    assert told in refusal(tmp_path, before, after)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Two wrong keys are two places in one sentence."""
    told = refusal(tmp_path, "steps = 900\nlearning_rate = 1e-4", 'steps = "x"\nrank = 0')
    assert "recipe.toml:10: " in told
    assert "recipe.toml:11: " in told


def test_another_version_is_told_before_its_keys(tmp_path: Path) -> None:
    """Keys of a version that is not known are not judged by this one's."""
    told = refusal(tmp_path, "version = 1", "version = 9\nnew = true")
    assert "new" not in told.partition("upgrade")[0]


def test_a_dataset_that_is_not_there_is_a_dataset_error(tmp_path: Path) -> None:
    """The place in the recipe and the folder that is missing are both named."""
    recipe = Recipe.load(write(tmp_path, RECIPE.replace(str(CHELSEA), "nowhere")))
    with pytest.raises(DatasetError, match=rf":4: dataset\.path: {tmp_path}/nowhere: no such folder"):
        recipe.training_request()


def test_vendors_that_are_not_here_are_left_alone(tmp_path: Path) -> None:
    """A table of a plugin that is installed elsewhere is nobody's mistake."""
    recipe = Recipe.load(write(tmp_path, RECIPE.replace("extra.novita", "extra.elsewhere")))
    assert recipe.training.extra == {"elsewhere": {"lr_scheduler": "cosine"}}


def test_a_broken_plugin_is_told_when_it_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of a plugin that can't be loaded are not checked."""
    from unified_train import PluginError, plugins

    def broken(slug: str) -> Any:
        raise PluginError(f"{slug} is broken")

    monkeypatch.setattr(plugins, "load", broken)
    assert Recipe.load(write(tmp_path)).training.extra


@pytest.mark.parametrize(
    ("name", "told"), [("folder", "is a folder; name the recipe"), ("none.toml", "no such recipe")]
)
def test_a_file_is_needed(tmp_path: Path, name: str, told: str) -> None:
    """A folder and a missing file are named."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidOptions, match=told):
        Recipe.load(tmp_path / name)


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    """A file that is not UTF-8 is refused with the line that is not."""
    path = tmp_path / "recipe.toml"
    path.write_bytes(RECIPE.replace("my-cat", "mächtig").encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"recipe\.toml:9: is not UTF-8"):
        Recipe.load(path)


def test_a_recipe_can_be_made_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its paths count from here then, and its mistakes are told without a place."""
    monkeypatch.chdir(tmp_path)
    recipe = Recipe.model_validate({"version": 1, "dataset": {"path": "nowhere"}, "training": {"name": "x"}})
    assert recipe.path is None
    with pytest.raises(DatasetError, match=r"^dataset\.path: nowhere: no such folder"):
        recipe.training_request()
    with pytest.raises(InvalidOptions, match=r"unknown option 'training\.stepps'"):
        Recipe.model_validate({"version": 1, "dataset": {"path": "."}, "training": {"name": "x", "stepps": 1}})


def test_the_schema_is_published(request: pytest.FixtureRequest) -> None:
    """`docs/recipe.schema.json` is the schema; `--write-docs` puts it there."""
    page = ROOT / "docs" / "recipe.schema.json"
    now = json.dumps(schema(), indent=2) + "\n"
    if request.config.getoption("--write-docs"):
        page.write_text(now)
    assert page.read_text() == now, "out of date: run `pytest tests/test_recipe.py -k schema --write-docs`"


def test_the_example_of_the_page_is_a_recipe(tmp_path: Path) -> None:
    """What `docs/recipes.md` shows can be loaded, has every key there is, and needs nothing but its images."""
    text = (ROOT / "docs" / "recipes.md").read_text().partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "photos").symlink_to(CHELSEA)
    recipe = Recipe.load(write(tmp_path, text))
    assert recipe.training_request().rank == 16
    assert len(recipe.generation_requests()) == 4
    for table in (recipe, recipe.dataset, recipe.training, recipe.generation):
        assert table is not None
        missing = set(type(table).model_fields) - table.model_fields_set - {"extra"}
        assert not missing


class TestCommands:
    """`unified-train recipe`."""

    def run(self, *arguments: object) -> Any:
        return CliRunner().invoke(cli, ["recipe", *map(str, arguments)], catch_exceptions=False)

    def test_check_says_what_a_recipe_does(self, tmp_path: Path) -> None:
        """Numbers of images and pictures, and exit code 0."""
        done = self.run("check", write(tmp_path))
        assert (done.exit_code, done.stdout.split(": ", 1)[1]) == (0, "trains on 10 images, generates 8 pictures\n")
        told = json.loads(self.run("check", write(tmp_path), "--json").stdout)
        assert told == {"recipe": str(tmp_path / "recipe.toml"), "images": 10, "pictures": 8}

    def test_check_says_what_is_wrong(self, tmp_path: Path) -> None:
        """The place of the mistake, and exit code 3."""
        done = self.run("check", write(tmp_path, RECIPE.replace("steps", "stepps")))
        assert done.exit_code == 3
        assert "recipe.toml:10: unknown key 'training.stepps'" in done.stderr

    def test_schema_prints_the_schema(self) -> None:
        """It is that of the page."""
        assert json.loads(self.run("schema").stdout) == schema()
