"""The report as people use it: clicked and typed through in a browser, opened from a file.

Needs a Chromium, and playwright (extra `browser`); without either these tests are skipped.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from compare_samples import HOSTILE, TITLES, at, sample

from unified_train.compare import Comparison, Vote, duels, rank, read_manifest, read_votes
from unified_train.compare.ranking import Outcome

pytestmark = pytest.mark.long

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LAPTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
CONTRASTS = """() => {
  const read = (colour) => {
    const found = colour.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const light = ([red, green, blue]) => {
    const [r, g, b] = [red, green, blue].map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
      if (colour[3] > 0) return null;
    }
    return read(getComputedStyle(document.documentElement).backgroundColor);
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, :disabled, svg")) continue;
    const behind = ground(element);
    if (!behind) continue;
    const [low, high] = [light(read(getComputedStyle(element).color)), light(behind)].sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), texts.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason='playwright is not installed: ".[browser]"')
    found = next(filter(_runs, map(shutil.which, CHROMIUM)), None)
    if found is None:
        pytest.skip(f"no Chromium is installed: none of {', '.join(CHROMIUM)} can be run")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def _runs(program: str | None) -> bool:
    """Whether it is a browser, and not what some systems have in its place, which only says how to get one."""
    if program is None:
        return False
    return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample().write(tmp_path_factory.mktemp("reports") / "report")


@pytest.fixture(scope="module")
def comparison(report: Path) -> Comparison:
    return read_manifest(report.parent)


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Callable[..., Any]]:
    """Open the report as somebody who was never there; at the end nobody may have complained or fetched anything."""
    contexts, complaints = [], []

    def opened(*, hash_: str = "", path: Path = report, viewport: dict[str, int] = LAPTOP, **options: Any) -> Any:
        context = browser.new_context(viewport=viewport, reduced_motion="reduce", accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _note(request.url))
        page.goto(path.as_uri() + hash_)
        return page

    def _note(url: str) -> None:
        if not url.startswith(("data:", "blob:")) and url.partition("#")[0] != report.as_uri():
            complaints.append(url)

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def shown(page: Any) -> tuple[str, str]:
    """Vendor and seed of the picture that is looked at."""
    facts = page.locator("#zoom .facts div").all_inner_texts()
    seed = next(text for text in facts if text.startswith("Seed")).split()[-1]
    return page.locator("#zoom-title").inner_text(), seed


def pair(page: Any) -> list[str]:
    """Hashes of the two pictures that are voted on."""
    found: list[str] = page.evaluate(
        """() => {
            const { pictures } = JSON.parse(document.getElementById("data").textContent);
            return [...document.querySelectorAll(".frame img")]
              .map((image) => pictures.find((picture) => picture.large === image.src).sha256);
        }"""
    )
    return found


def standings(page: Any) -> dict[str, tuple[float, float]]:
    found: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".standings li")]
            .map((item) => [item.dataset.entrant, [Number(item.dataset.strength), Number(item.dataset.error)]]))"""
    )
    return {key: (values[0], values[1]) for key, values in found.items()}


def take(page: Any, file: Path) -> str:
    page.locator("[data-do=import]").set_input_files(file)
    message = page.locator("#ranking [data-message]")
    message.filter(has_text=re.compile("imported")).wait_for()
    return str(message.inner_text())


def export(page: Any, scope: str, folder: Path) -> Path:
    with page.expect_download() as download:
        page.locator(f"{scope} [data-do=export]").click()
    path = folder / str(download.value.suggested_filename)
    download.value.save_as(path)
    return path


def agree(page: Any) -> None:
    page.locator("#sure button[value=yes]").click()
    page.locator("#sure").wait_for(state="hidden")
    page.locator("#ranking").wait_for()


def votes_file(path: Path, of: Comparison, outcomes: dict[tuple[str, str], list[Outcome]], **more: Any) -> Path:
    """A file of votes on the first prompt and seed, each by another judge."""
    pictures = {item.entrant: item for item in of.pictures if (item.prompt, item.seed) == (0, 7)}
    votes: list[dict[str, Any]] = []
    for (left, right), words in outcomes.items():
        for word in words:
            vote = Vote(
                judge=f"{len(votes):012x}",
                prompt=0,
                seed=7,
                left=pictures[left].sha256,
                right=pictures[right].sha256,
                outcome=word,
                counted=True,
                at=at(len(votes)),
            )
            votes.append(vote.model_dump(mode="json"))
    content = {"format": "unified-train votes", "version": 1, "comparison": of.id, "votes": votes, **more}
    path.write_text(json.dumps(content))
    return path


def test_the_grid_shows_every_picture(visit: Callable[..., Any]) -> None:
    """All eleven are there and decoded, in columns under their vendors, which stay in sight while one scrolls."""
    page = visit()
    shots = page.locator("[data-shot] img")
    assert shots.count() == 11
    assert page.evaluate("[...document.querySelectorAll('[data-shot] img')].every((image) => image.naturalWidth > 0)")
    heads = [box["x"] for box in (head.bounding_box() for head in page.locator(".head").all())]
    first = [
        box["x"] for box in (item.bounding_box() for item in page.locator(".row >> nth=0").locator("figure").all())
    ]
    assert first == pytest.approx(heads, abs=1)
    page.locator(".prompt >> nth=1").scroll_into_view_if_needed()
    page.mouse.wheel(0, 300)
    assert page.locator(".heads").bounding_box()["y"] == pytest.approx(52, abs=1)
    assert page.locator(".none.failed").inner_text().split("\n")[-1] == "<i>refused</i> by content rules"


def test_a_vendor_s_card_is_a_list_of_facts(visit: Callable[..., Any]) -> None:
    """All cards stand in one row on a laptop; a state is a word; what has no pictures says where the reason stands."""
    page = visit()
    cards = page.locator(".card:has(.state)")
    assert len({card.bounding_box()["y"] for card in cards.all()}) == 1
    assert [state.inner_text() for state in cards.locator(".state").all()] == [
        "succeeded",
        "succeeded",
        "trained before",
        "failed",
    ]
    assert all(state.bounding_box()["height"] < 30 for state in cards.locator(".state").all())
    assert cards.nth(2).locator("dd").all_inner_texts()[:3] == ["–", "–", "–"]
    page.get_by_role("link", name="Why East delivered nothing").first.click()
    assert page.url.endswith("#vendors")


def test_hostile_prompts_are_shown_and_do_nothing(visit: Callable[..., Any]) -> None:
    """Markup and script in a prompt are letters, in the grid as in a picture's facts and in the blind vote."""
    page = visit()
    assert page.title() == "My cat <at> four vendors"
    assert "<script>document.title='owned'</script>" in page.locator(".prompt >> nth=1").inner_text()
    page.locator("[data-shot='9']").click()
    assert page.locator("#zoom .text").evaluate("(element) => element.textContent") == HOSTILE
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    assert page.title() == "My cat <at> four vendors"


def test_a_picture_is_looked_at_closely(visit: Callable[..., Any]) -> None:
    """Arrows walk through rows and vendors, the ends hold, facts and metadata are told, and focus comes back."""
    page = visit()
    page.locator("[data-shot='0']").focus()
    page.keyboard.press("Enter")
    assert shown(page) == ("North & Co", "7")
    assert page.locator("[data-do=previous]").is_disabled()
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ("North & Co", "7")
    page.keyboard.press("ArrowRight")
    assert shown(page) == (TITLES["south"], "7")
    page.keyboard.press("ArrowDown")
    assert shown(page) == (TITLES["south"], "8")
    page.keyboard.press("ArrowUp")
    page.locator("[data-do=next]").click()
    assert shown(page) == ("West", "7")
    page.locator("[data-do=previous]").click()
    page.locator("[data-do=previous]").click()
    facts = page.locator("#zoom aside").inner_text()
    assert "0.5 credits (job)" in facts
    assert "north:generation:g-north-0-7" in facts
    page.locator("#zoom summary").click()
    assert json.loads(page.locator("#zoom pre").inner_text()) == {"api_key": "***", "sampler": "euler"}
    assert page.locator("#zoom .original").get_attribute("href") == "pictures/01-north-7.png"
    assert page.locator("#zoom img").evaluate("(image) => image.naturalWidth") == 96
    page.keyboard.press("z")
    assert page.locator("[data-do=actual]").get_attribute("aria-pressed") == "true"
    page.keyboard.press("z")
    page.keyboard.press("i")
    assert not page.locator("#zoom aside").is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    page.locator("[data-shot='1']:focus").wait_for()


def test_two_pictures_are_laid_over_each_other(visit: Callable[..., Any]) -> None:
    """The line moves by keys and says where it is; a row's button brings its pictures; a gap is told."""
    page = visit()
    page.locator("[data-slide='0/8']").click()
    line = page.locator(".stage input")
    assert page.evaluate("document.activeElement.type") == "range"
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert line.input_value() == "60"
    assert line.get_attribute("aria-valuetext") == f"60 % North & Co, 40 % {TITLES['south']}"
    assert page.locator(".divider").evaluate(
        "(line) => line.offsetLeft / line.parentElement.clientWidth"
    ) == pytest.approx(0.6, abs=0.01)
    page.keyboard.press("Home")
    assert line.input_value() == "0"
    page.locator("[data-choice=right]").select_option("west")
    assert page.locator(".tag.right").inner_text() == "West"
    sources = page.locator(".stage img").evaluate_all("(images) => images.map((image) => image.src)")
    assert len(set(sources)) == 2
    page.locator("[data-choice=row]").select_option("1/8")
    assert page.locator(".stage").is_visible()
    page.locator("[data-choice=left]").select_option("south")
    assert not page.locator(".stage").is_visible()
    assert page.locator(".absent").is_visible()


def test_a_blind_vote_by_keyboard(visit: Callable[..., Any], comparison: Comparison, tmp_path: Path) -> None:
    """All ten pairs are asked once; votes count until the names are revealed; page, file and library agree."""
    page = visit()
    page.keyboard.press("b")
    assert not page.locator("main").is_visible()
    assert page.locator(".count").inner_text() == "1 of 10"
    seen = []
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "ArrowLeft"):
        seen.append(frozenset(pair(page)))
        page.keyboard.press(key)
    page.keyboard.press("Backspace")
    assert page.locator(".count").inner_text() == "5 of 10"
    assert frozenset(pair(page)) == seen.pop()
    for key in ("ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowUp", "ArrowLeft", "ArrowRight"):
        seen.append(frozenset(pair(page)))
        page.keyboard.press(key)
    assert len(set(seen)) == 10
    assert page.locator(".done").is_visible()
    page.keyboard.press("ArrowLeft")
    early = export(page, ".arena", tmp_path)
    text = early.read_text()
    assert not [word for word in ("north", "south", "west", "North", "West", "pictures/") if word in text]
    page.locator(".done [data-do=finish]").click()
    agree(page)
    page.locator(".standings").wait_for()
    votes = read_votes(early, comparison)
    assert Counter(vote.outcome for vote in votes) == {"left": 4, "right": 3, "tie": 2, "poor": 1}
    ranking = rank(["north", "south", "west", "east"], duels(comparison, votes))
    for item in ranking.standings:
        assert standings(page)[item.entrant] == pytest.approx((item.strength, item.error), abs=1e-9)
    assert list(standings(page)) == [item.entrant for item in ranking.standings]
    assert page.locator(".tally").inner_text() == (
        "9 votes by one person, of them 2 ties · 1 × both poor, which counts for neither · no votes on East"
    )

    page.locator("#ranking [data-do=blind]").click()
    assert "·" in page.locator(".duel figcaption >> nth=0").inner_text()
    before = json.loads(early.read_text())["votes"]
    page.keyboard.press("ArrowLeft")
    assert "not counted" in page.locator(".arena [data-message]").inner_text()
    page.locator(".arena header [data-do=finish]").click()
    assert "1 not counted, because the names were known" in page.locator(".tally").inner_text()
    late = read_votes(export(page, "#ranking", tmp_path), comparison)
    assert [vote.counted for vote in late].count(False) == 1
    assert len(late) == len(before) + 1
    assert duels(comparison, late) == duels(comparison, votes)


def test_nothing_betrays_the_vendor_before_the_names_are_revealed(visit: Callable[..., Any]) -> None:
    """No name, file or figure is visible, spoken or hovered; sides are drawn by lot; all pictures have one size."""
    page = visit(hash_="#blind")
    visible = page.locator("body").inner_text()
    spoken = page.locator(".arena").aria_snapshot()
    betrayals = [*TITLES.values(), *TITLES, "pictures/", "credits", "seed", "96", "104", "flagged"]
    prompt = page.locator(".ask").inner_text()
    for word in betrayals:
        assert word not in visible.replace(prompt, ""), word
        assert word not in spoken.replace(prompt, ""), word
    assert page.locator(".arena [title]").count() == 0
    boxes = [frame.bounding_box() for frame in page.locator(".frame img").all()]
    assert (boxes[0]["width"], boxes[0]["height"]) == (boxes[1]["width"], boxes[1]["height"])
    lefts = set()
    for _ in range(24):
        lefts.add(pair(page)[0])
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Backspace")
    assert len(lefts) == 2


def test_the_order_of_pairs_is_the_same_for_everybody(visit: Callable[..., Any]) -> None:
    """Two people are asked the same pairs in the same order, which is not that of the grid."""

    def asked(page: Any) -> list[frozenset[str]]:
        found = []
        for _ in range(10):
            found.append(frozenset(pair(page)))
            page.keyboard.press("ArrowUp")
        return found

    first, second = (asked(visit(hash_="#blind")) for _ in range(2))
    assert first == second
    grid = visit().evaluate(
        "JSON.parse(document.getElementById('data').textContent).pictures.map((item) => item.sha256)"
    )
    order = [min(grid.index(sha256) for sha256 in item) for item in first]
    assert order != sorted(order)


def test_votes_survive_a_reload_and_go_on_blind(visit: Callable[..., Any]) -> None:
    """Who has begun is not shown the names by opening the page again; the back key shows none either."""
    page = visit()
    page.keyboard.press("b")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.goto(page.url.partition("#")[0])
    page.reload()
    assert page.locator(".count").inner_text() == "3 of 10"
    assert not page.locator("main").is_visible()
    page.locator(".arena header [data-do=finish]").click()
    page.locator("#sure button[value=no]").click()
    assert page.locator(".arena").is_visible()
    page.locator(".arena header [data-do=finish]").click()
    agree(page)
    page.reload()
    assert page.locator(".standings li").count() >= 2
    page.locator("[data-do=forget]").click()
    agree(page)
    page.locator(".standings").wait_for(state="hidden")


def test_leaving_without_a_vote_reveals_nothing(visit: Callable[..., Any]) -> None:
    """Who only had a look may still vote."""
    page = visit()
    page.locator(".hero [data-do=blind]").click()
    page.locator(".arena header [data-do=finish]").click()
    assert page.locator("#ranking [data-do=blind]").inner_text() == "Vote blind"
    assert page.locator("main").is_visible()


def test_votes_are_imported_into_another_browser(
    visit: Callable[..., Any], comparison: Comparison, tmp_path: Path
) -> None:
    """Votes of several people are added up, once each, and the ranking is the library's, to nine digits."""
    outcomes: dict[tuple[str, str], list[Outcome]] = {
        ("north", "south"): ["left", "left", "left", "left", "left", "left", "left", "right", "right", "tie"],
        ("south", "west"): ["left", "right", "right", "poor"],
        ("west", "north"): ["tie", "right"],
    }
    path = votes_file(tmp_path / "votes.json", comparison, outcomes)
    page = visit()
    assert take(page, path) == "16 votes imported."
    assert not page.locator(".standings").is_visible()
    page.locator("[data-do=reveal]").click()
    agree(page)
    take(page, path)
    assert "15 votes by 16 people, of them 2 ties · 1 × both poor" in page.locator(".tally").inner_text()
    ranking = rank(["north", "south", "west", "east"], duels(comparison, read_votes(path, comparison)))
    assert ranking.votes == 15
    found = standings(page)
    for item in ranking.standings:
        assert found[item.entrant] == pytest.approx((item.strength, item.error), abs=1e-9)
    score = page.locator(".standings li >> nth=0").locator(".score").inner_text().split()
    first = ranking.standings[0]
    assert score[0] == str(round(first.score * 100))
    assert [score[2], score[5]] == [str(round(100 * bound)) for bound in first.interval]


def test_a_foreign_file_is_refused(visit: Callable[..., Any], comparison: Comparison, tmp_path: Path) -> None:
    """Votes of another comparison, on other pictures, damaged ones and other files change nothing."""
    page = visit()
    fine: dict[tuple[str, str], list[Outcome]] = {("north", "south"): ["left"]}
    refused = {
        "another comparison": votes_file(tmp_path / "a.json", comparison, fine, comparison="0" * 64),
        "not a file of votes": votes_file(tmp_path / "b.json", comparison, fine, version=2),
        "damaged": votes_file(tmp_path / "c.json", comparison, fine, votes=[{"judge": "<img src=x>"}]),
    }
    strange = json.loads(refused["another comparison"].read_text())
    strange["comparison"] = comparison.id
    strange["votes"][0]["left"] = "0" * 64
    (tmp_path / "d.json").write_text(json.dumps(strange))
    (tmp_path / "e.json").write_text("no JSON at all")
    refused |= {"not in this report": tmp_path / "d.json", "This is not": tmp_path / "e.json"}
    for words, path in refused.items():
        message = take(page, path)
        assert words in message
        assert message.endswith("nothing was imported.")
        assert not page.locator("[data-do=reveal]").is_visible()
    assert take(page, votes_file(tmp_path / "f.json", comparison, fine)) == "1 vote imported."
    assert page.locator("[data-do=reveal]").is_visible()


def test_a_browser_that_keeps_nothing_says_so(visit: Callable[..., Any], report: Path) -> None:
    """Without storage one can vote, is told to export, and nothing breaks; nor does damaged storage break it."""
    page = visit()
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied'); } })")
    page.goto(report.as_uri() + "#blind")
    page.reload()
    page.keyboard.press("ArrowLeft")
    assert "keeps no votes" in page.locator(".arena [data-message]").inner_text()
    other = visit()
    other.evaluate("""() => {
      const { id } = JSON.parse(document.getElementById("data").textContent);
      localStorage.setItem(`unified-train/votes/${id}`, '{"judge": 5, "votes": [{}]}');
    }""")
    other.reload()
    assert other.locator("main").is_visible()
    other.evaluate("""() => {
      const { id } = JSON.parse(document.getElementById("data").textContent);
      localStorage.setItem(`unified-train/votes/${id}`, '{"judge": "0123456789ab", "votes": [{}, null, 7]}');
    }""")
    other.reload()
    assert other.locator("#ranking [data-do=blind]").inner_text() == "Vote blind"


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(visit: Callable[..., Any], scheme: str, viewport: dict[str, int]) -> None:
    """As painted, every text has a contrast of 4.5 at least: on the page, in a picture, in the vote, in the ranking."""
    page = visit(color_scheme=scheme, viewport=viewport)
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 20, 18)"
    assert dark == (scheme == "dark")

    def readable(least: int) -> None:
        found = page.evaluate(CONTRASTS)
        assert len(found) >= least
        assert [item for item in found if item[0] < 4.5] == []

    readable(100)
    page.locator("[data-shot='0']").click()
    readable(100)
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    readable(8)
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.locator(".arena header [data-do=finish]").click()
    agree(page)
    readable(100)


def test_the_theme_is_chosen_and_remembered(visit: Callable[..., Any]) -> None:
    """The button goes round from the system's to light to dark, and says which it is."""
    page = visit(color_scheme="light")
    button = page.locator("[data-do=theme]")
    assert button.get_attribute("aria-label") == "Theme: as the system has it"
    button.click()
    page.keyboard.press("t")
    assert button.get_attribute("aria-label") == "Theme: dark"
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 20, 18)"
    page.locator("[data-do=theme]").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 248, 244)"


def test_the_keys_are_shown(visit: Callable[..., Any]) -> None:
    """A question mark opens the list, Escape closes it, and while it is open no key does anything else."""
    page = visit()
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("b")
    assert page.locator("main").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()
    page.locator("[data-do=keys]").click()
    page.locator("#keys [data-do=close]").click()
    assert not page.locator("#keys").is_visible()


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 2000])
def test_the_page_is_never_wider_than_the_screen(visit: Callable[..., Any], width: int) -> None:
    """Nothing but the rows of pictures scrolls sideways, on any screen, with a long word in a prompt."""
    page = visit(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("location.replace('#blind')")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_row_is_swiped_and_votes_are_tapped(visit: Callable[..., Any]) -> None:
    """Pictures of a row lie beside each other with their vendors' names; a vote fits on the screen."""
    page = visit(viewport=PHONE, is_mobile=True, has_touch=True)
    row = page.locator(".row >> nth=0")
    assert row.evaluate("(element) => element.scrollWidth > element.clientWidth")
    assert row.locator("figcaption >> nth=0").is_visible()
    row.evaluate("(element) => { element.scrollLeft = element.scrollWidth; }")
    assert row.locator("figcaption >> nth=2").bounding_box()["x"] < PHONE["width"]
    row.locator("[data-shot='2']").tap()
    assert shown(page) == ("West", "7")
    page.locator("#zoom [data-do=close]").tap()
    page.locator(".hero [data-do=blind]").tap()
    for button in page.locator("[data-vote]").all():
        box = button.bounding_box()
        assert box["y"] + box["height"] <= PHONE["height"]
        assert box["height"] >= 44
    page.locator("[data-vote=tie]").tap()
    assert page.locator(".count").inner_text() == "2 of 10"


def test_everything_can_be_reached_by_the_tab_key(visit: Callable[..., Any]) -> None:
    """The first stop skips to the pictures, and every picture is a stop with a visible ring."""
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        shot = page.evaluate("document.activeElement.dataset.shot ?? null")
        if shot is not None:
            reached.add(shot)
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == {str(number) for number in range(11)}


def test_without_script_the_grid_is_still_there(visit: Callable[..., Any]) -> None:
    """Pictures, times and costs need none."""
    page = visit(java_script_enabled=False)
    assert page.locator("[data-shot]").count() == 11
    assert page.locator(".noscript").is_visible()
    assert "252 credits" in page.locator("#vendors").inner_text()
