"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const root = document.documentElement;
  const titles = new Map(data.entrants.map((entrant) => [entrant.key, entrant.title]));
  const touching = (button, work) => button && button.addEventListener("click", work);
  const percent = (share) => `${Math.round(share * 100)} %`;
  const counted = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

  /* ---- what stays in this browser; a page from a file may not be allowed to keep anything ---- */

  const kept = {
    read(name) {
      try { return localStorage.getItem(`unified-train/${name}`); } catch { return null; }
    },
    write(name, value) {
      try {
        if (value === null) localStorage.removeItem(`unified-train/${name}`);
        else localStorage.setItem(`unified-train/${name}`, value);
        return true;
      } catch {
        return false;
      }
    },
  };

  const tell = (text, bad = false) => {
    for (const place of all("[data-message]")) {
      place.textContent = text;
      place.classList.toggle("bad", bad);
    }
  };

  const sure = (question, explanation, yes) => new Promise((answer) => {
    const dialog = one("#sure");
    one("h2", dialog).textContent = question;
    one("p", dialog).textContent = explanation;
    const [agree, decline] = all("button", dialog);
    agree.textContent = yes;
    agree.onclick = () => dialog.close("yes");
    decline.onclick = () => dialog.close("no");
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => answer(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });

  /* ---- theme ---- */

  const themes = ["system", "light", "dark"];
  const themeButton = one('[data-do="theme"]');
  const dress = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    themeButton.setAttribute("aria-label", `Theme: ${theme === "system" ? "as the system has it" : theme}`);
  };
  let theme = themes.includes(kept.read("theme")) ? kept.read("theme") : "system";
  const nextTheme = () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    kept.write("theme", theme);
    dress(theme);
  };
  dress(theme);
  touching(themeButton, nextTheme);

  /* ---- a fact list, always as text ---- */

  const listed = (list, pairs) => list.replaceChildren(...pairs.map(([label, text]) => {
    const line = document.createElement("div");
    const term = document.createElement("dt");
    const detail = document.createElement("dd");
    term.textContent = label;
    detail.textContent = text;
    detail.dir = "auto";
    line.append(term, detail);
    return line;
  }));

  /* ---- looking closely ---- */

  const zoom = one("#zoom");
  let shown = 0;
  /* What had the focus may have gone, and keys would go nowhere. */
  const holdFocus = () => {
    const active = document.activeElement;
    if (zoom.open && (!zoom.contains(active) || active.disabled || !active.checkVisibility())) one(".zoom-stage", zoom).focus();
  };
  const look = (number) => {
    if (!(number in data.pictures)) return;
    shown = number;
    const picture = data.pictures[number];
    const image = one("img", zoom);
    image.src = picture.large;
    image.alt = picture.alt;
    one("h2", zoom).textContent = titles.get(picture.entrant);
    one(".text", zoom).textContent = data.prompts[picture.prompt];
    listed(one(".facts", zoom), picture.facts);
    const more = one("details", zoom);
    more.hidden = !picture.metadata;
    one("pre", zoom).textContent = picture.metadata;
    one(".original", zoom).href = picture.file;
    one('[data-do="previous"]', zoom).disabled = number === 0;
    one('[data-do="next"]', zoom).disabled = number === data.pictures.length - 1;
    holdFocus();
  };
  const lookAlong = (direction) => {
    const { entrant } = data.pictures[shown];
    let number = shown + direction;
    while (number in data.pictures && data.pictures[number].entrant !== entrant) number += direction;
    look(number);
  };
  const actual = () => {
    const on = zoom.classList.toggle("actual");
    one('[data-do="actual"]', zoom).setAttribute("aria-pressed", on);
  };
  const about = () => {
    const off = zoom.classList.toggle("plain");
    one('[data-do="about"]', zoom).setAttribute("aria-pressed", !off);
    holdFocus();
  };
  for (const button of all("[data-shot]")) {
    touching(button, () => {
      look(Number(button.dataset.shot));
      zoom.showModal();
      one(".zoom-stage", zoom).focus(); /* not the facts, which the arrow keys would scroll */
    });
  }
  touching(one('[data-do="previous"]', zoom), () => look(shown - 1));
  touching(one('[data-do="next"]', zoom), () => look(shown + 1));
  touching(one('[data-do="actual"]', zoom), actual);
  touching(one('[data-do="about"]', zoom), about);
  touching(one("img", zoom), actual);
  for (const button of all('[data-do="close"]')) touching(button, () => button.closest("dialog").close());
  zoom.addEventListener("close", () => one(`[data-shot="${shown}"]`).focus());
  zoom.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrows = {
      ArrowLeft: () => look(shown - 1),
      ArrowRight: () => look(shown + 1),
      ArrowUp: () => lookAlong(-1),
      ArrowDown: () => lookAlong(1),
    };
    const inText = event.target.closest("aside") && /^Arrow(Up|Down)$/.test(event.key);
    const work = { ...(inText ? {} : arrows), z: actual, i: about }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
  let touchedAt = null;
  zoom.addEventListener("touchstart", (event) => {
    const free = event.touches.length === 1 && !zoom.classList.contains("actual") && event.target.closest(".zoom-stage");
    touchedAt = free ? [event.touches[0].clientX, event.touches[0].clientY] : null;
  }, { passive: true });
  zoom.addEventListener("touchend", (event) => {
    if (!touchedAt) return;
    const [across, down] = [event.changedTouches[0].clientX - touchedAt[0], event.changedTouches[0].clientY - touchedAt[1]];
    if (Math.abs(across) > 48 && Math.abs(across) > 2 * Math.abs(down)) look(shown + (across < 0 ? 1 : -1));
  });

  /* ---- side by side ---- */

  const slider = one("#slider");
  const stage = slider && one(".stage", slider);
  const chosen = (name) => one(`[data-choice="${name}"]`, slider);
  const pictureAt = (place, entrant) =>
    data.pictures.find((picture) => `${picture.prompt}/${picture.seed}` === place && picture.entrant === entrant);
  const divide = () => {
    const range = one("input", stage);
    stage.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext",
      `${range.value} % ${titles.get(chosen("left").value)}, ${100 - range.value} % ${titles.get(chosen("right").value)}`);
  };
  const compare = () => {
    const sides = ["left", "right"].map((side) => pictureAt(chosen("row").value, chosen(side).value));
    const both = sides.every(Boolean);
    stage.hidden = !both;
    one(".absent", slider).hidden = both;
    if (!both) return;
    [".over img", ".under img"].forEach((selector, side) => {
      one(selector, stage).src = sides[side].large;
      one(selector, stage).alt = sides[side].alt;
    });
    stage.style.setProperty("--ratio", sides[0].width / sides[0].height);
    one(".tag.left", stage).textContent = titles.get(sides[0].entrant);
    one(".tag.right", stage).textContent = titles.get(sides[1].entrant);
    divide();
  };
  const compareRow = (place) => {
    const present = data.entrants.filter((entrant) => pictureAt(place, entrant.key));
    chosen("row").value = place;
    if (!pictureAt(place, chosen("left").value)) chosen("left").value = present[0].key;
    if (!pictureAt(place, chosen("right").value) || chosen("right").value === chosen("left").value) {
      chosen("right").value = present.find((entrant) => entrant.key !== chosen("left").value).key;
    }
    compare();
  };
  if (slider) {
    for (const name of ["left", "right"]) chosen(name).addEventListener("change", compare);
    chosen("row").addEventListener("change", () => compareRow(chosen("row").value));
    one("input", stage).addEventListener("input", divide);
    for (const button of all("[data-slide]")) {
      touching(button, () => {
        compareRow(button.dataset.slide);
        slider.scrollIntoView();
        one("input", stage).focus({ preventScroll: true });
      });
    }
    compareRow(chosen("row").value);
  }

  /* ---- ranking: the same Bradley–Terry fit as in ranking.py ---- */

  const IMAGINARY = 0.5, STEPS = 100, CLOSE = 1e-8, TWO_SIDED_95 = 1.959963984540054;
  const chance = (strength) => (strength >= 0 ? 1 / (1 + Math.exp(-strength)) : 1 - 1 / (1 + Math.exp(strength)));
  const logChance = (strength) =>
    (strength >= 0 ? -Math.log1p(Math.exp(-strength)) : strength - Math.log1p(Math.exp(strength)));

  const likelihood = (wins, strengths) => {
    let total = 0;
    strengths.forEach((mine, me) => {
      total += IMAGINARY * (logChance(mine) + logChance(-mine));
      strengths.forEach((theirs, other) => { total += wins[me][other] * logChance(mine - theirs); });
    });
    return total;
  };
  const slope = (wins, strengths) => {
    const gradient = strengths.map(() => 0);
    const information = strengths.map(() => strengths.map(() => 0));
    strengths.forEach((mine, me) => {
      const against = chance(mine);
      gradient[me] += IMAGINARY * (1 - 2 * against);
      information[me][me] += 2 * IMAGINARY * against * (1 - against);
      strengths.forEach((theirs, other) => {
        if (other === me) return;
        const met = wins[me][other] + wins[other][me];
        const likely = chance(mine - theirs);
        const weight = met * likely * (1 - likely);
        gradient[me] += wins[me][other] - met * likely;
        information[me][me] += weight;
        information[me][other] -= weight;
      });
    });
    return [gradient, information];
  };
  const solved = (matrix, right) => {
    const rows = matrix.map((row, number) => [...row, right[number]]);
    rows.forEach((upper, pivot) => {
      for (const lower of rows.slice(pivot + 1)) {
        const factor = lower[pivot] / upper[pivot];
        for (let column = pivot; column < upper.length; column += 1) lower[column] -= factor * upper[column];
      }
    });
    const solution = rows.map(() => 0);
    for (let number = rows.length - 1; number >= 0; number -= 1) {
      let known = 0;
      for (let column = number + 1; column < rows.length; column += 1) known += rows[number][column] * solution[column];
      solution[number] = (rows[number][rows.length] - known) / rows[number][number];
    }
    return solution;
  };
  const fit = (wins) => {
    let strengths = wins.map(() => 0);
    let best = likelihood(wins, strengths);
    for (let round = 0; round < STEPS; round += 1) {
      const step = solved(...slope(wins, strengths).reverse());
      let scale = 1;
      let trial = strengths.map((strength, number) => strength + step[number]);
      if (Math.max(...step.map(Math.abs)) < CLOSE) { strengths = trial; break; }
      let reached = likelihood(wins, trial);
      while (reached < best && scale > CLOSE) {
        scale /= 2;
        trial = strengths.map((strength, number) => strength + scale * step[number]);
        reached = likelihood(wins, trial);
      }
      [strengths, best] = [trial, reached];
    }
    const mean = strengths.reduce((sum, strength) => sum + strength, 0) / strengths.length;
    const [, information] = slope(wins, strengths);
    const errors = wins.map((_, me) => {
      const distance = wins.map((__, other) => Number(other === me) - 1 / wins.length);
      const variance = solved(information, distance).reduce((sum, value, other) => sum + distance[other] * value, 0);
      return Math.sqrt(Math.max(0, variance));
    });
    return [strengths.map((strength) => strength - mean), errors];
  };

  /* ---- votes ---- */

  const FORMAT = "unified-train votes";
  const OUTCOMES = ["left", "right", "tie", "poor"];
  const LARGEST = 8 * 2 ** 20;
  const pairKey = (prompt, seed, one_, other) => `${prompt}/${seed}/${[one_, other].sort().join("/")}`;
  const voteKey = (vote) => `${vote.judge}/${pairKey(vote.prompt, vote.seed, vote.left, vote.right)}`;
  const bySum = new Map(data.pictures.map((picture) => [`${picture.prompt}/${picture.seed}/${picture.sha256}`, picture]));
  const pictureOf = (vote, side) => bySum.get(`${vote.prompt}/${vote.seed}/${vote[side]}`);

  /* Shuffled alike for everybody: the seed is the comparison's id. */
  const dice = (() => {
    let state = parseInt(data.id.slice(0, 8), 16);
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  })();
  const pairs = [];
  data.pictures.forEach((first, number) => {
    for (const second of data.pictures.slice(number + 1)) {
      const together = first.prompt === second.prompt && first.seed === second.seed;
      if (together && first.sha256 !== second.sha256) pairs.push([first, second]);
    }
  });
  for (let last = pairs.length - 1; last > 0; last -= 1) {
    const place = Math.floor(dice() * (last + 1));
    [pairs[last], pairs[place]] = [pairs[place], pairs[last]];
  }
  const coin = () => crypto.getRandomValues(new Uint8Array(1))[0] < 128;

  const whole = (value) => Number.isInteger(value) && value >= 0;
  const isVote = (vote) => vote !== null && typeof vote === "object"
    && typeof vote.judge === "string" && /^[0-9a-f]{8,32}$/.test(vote.judge)
    && whole(vote.prompt) && whole(vote.seed) && typeof vote.left === "string" && typeof vote.right === "string"
    && OUTCOMES.includes(vote.outcome) && typeof vote.counted === "boolean"
    && typeof vote.at === "string" && !Number.isNaN(Date.parse(vote.at));
  const isOurs = (vote) => vote.left !== vote.right && pictureOf(vote, "left") && pictureOf(vote, "right");

  const slot = `votes/${data.id}`;
  const fresh = () => ({
    judge: [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
    revealed: false,
    votes: [],
  });
  const state = (() => {
    try {
      const found = JSON.parse(kept.read(slot));
      if (!/^[0-9a-f]{8,32}$/.test(found.judge) || !Array.isArray(found.votes)) return fresh();
      const votes = found.votes.filter((vote) => isVote(vote) && isOurs(vote));
      return { judge: found.judge, revealed: found.revealed === true, votes };
    } catch {
      return fresh();
    }
  })();
  let lasting = true;
  const mine = () => state.votes.filter((vote) => vote.judge === state.judge && vote.counted);
  const begun = () => !state.revealed && mine().length > 0;
  const keep = () => {
    lasting = kept.write(slot, JSON.stringify(state));
    kept.write(`begun/${data.id}`, begun() ? "yes" : null); /* early.js asks for it */
  };

  const clean = ({ judge, prompt, seed, left, right, outcome, counted: counts, at }) =>
    ({ judge, prompt, seed, left, right, outcome, counted: counts, at: new Date(at).toISOString() });
  const merge = (votes) => {
    const known = new Map(state.votes.map((vote, number) => [`${vote.counted}/${voteKey(vote)}`, number]));
    for (const vote of votes.map(clean)) {
      const key = `${vote.counted}/${voteKey(vote)}`;
      const before = known.get(key);
      if (before === undefined) known.set(key, state.votes.push(vote) - 1);
      else if (Date.parse(vote.at) >= Date.parse(state.votes[before].at)) state.votes[before] = vote;
    }
  };

  const standings = () => {
    const wins = data.entrants.map(() => data.entrants.map(() => 0));
    const place = new Map(data.entrants.map((entrant, number) => [entrant.key, number]));
    const tally = { votes: 0, ties: 0, poor: 0, idle: 0 };
    for (const vote of state.votes) {
      if (!vote.counted) { tally.idle += 1; continue; }
      if (vote.outcome === "poor") { tally.poor += 1; continue; }
      const left = place.get(pictureOf(vote, "left").entrant);
      const right = place.get(pictureOf(vote, "right").entrant);
      const share = { left: 1, right: 0, tie: 0.5 }[vote.outcome];
      wins[left][right] += share;
      wins[right][left] += 1 - share;
      tally.votes += 1;
      tally.ties += Number(vote.outcome === "tie");
    }
    /* Who was in no decided vote has no place: nothing is known of it. */
    const voted = data.entrants.map((_, me) => me).filter((me) => wins[me].some((_, other) => wins[me][other] + wins[other][me] > 0));
    const [strengths, errors] = fit(voted.map((me) => voted.map((other) => wins[me][other])));
    const order = voted.map((me, number) => ({ ...data.entrants[me], strength: strengths[number], error: errors[number] }));
    const missing = data.entrants.filter((_, me) => !voted.includes(me)).map((entrant) => entrant.title);
    return [order.sort((first, second) => second.strength - first.strength), { ...tally, missing }];
  };

  const section = one("#ranking");
  const standing = ({ key, title, strength, error }, number) => {
    const margin = TWO_SIDED_95 * error;
    const [low, score, high] = [strength - margin, strength, strength + margin].map(chance);
    const item = document.createElement("li");
    Object.assign(item.dataset, { entrant: key, strength, error });
    const place = document.createElement("span");
    place.className = "place";
    place.textContent = number + 1;
    const name = document.createElement("bdi");
    name.className = "name";
    name.textContent = title;
    const whisker = document.createElement("span");
    whisker.className = "whisker";
    whisker.setAttribute("aria-hidden", "true");
    const span = document.createElement("i");
    span.style.left = `${low * 100}%`;
    span.style.width = `${(high - low) * 100}%`;
    const dot = document.createElement("b");
    dot.style.left = `${score * 100}%`;
    whisker.append(span, dot);
    const figures = document.createElement("span");
    figures.className = "score";
    const main = document.createElement("b");
    main.textContent = percent(score);
    const interval = document.createElement("small");
    interval.textContent = `${percent(low)} to ${percent(high)}`;
    figures.append(main, " ", interval);
    item.append(place, name, whisker, figures);
    return item;
  };
  const draw = () => {
    const voted = state.votes.length > 0;
    const decided = one(".standings", section);
    decided.hidden = !state.revealed || !voted;
    one('[data-do="blind"]', section).hidden = pairs.length === 0;
    one('[data-do="blind"]', section).classList.toggle("main", !state.revealed);
    const invitation = one('.hero [data-do="blind"]');
    if (invitation) invitation.hidden = pairs.length === 0 || state.revealed;
    one('[data-do="blind"]', section).textContent = state.revealed ? "Go on without counting" : "Vote blind";
    one('[data-do="reveal"]', section).hidden = state.revealed || !voted;
    one('[data-do="export"]', section).hidden = !voted;
    one('[data-do="forget"]', section).hidden = !voted;
    if (pairs.length === 0) {
      one(".intro", section).textContent = "There is nothing to vote on: that takes two vendors’ pictures of one prompt and seed.";
    }
    if (decided.hidden) return;
    const [order, tally] = standings();
    one("ol", decided).replaceChildren(...order.map(standing));
    const judges = new Set(state.votes.filter((vote) => vote.counted).map((vote) => vote.judge)).size;
    one(".tally", decided).textContent = [
      `${counted(tally.votes, "vote")} by ${judges === 1 ? "one person" : `${judges} people`}, of them ${counted(tally.ties, "tie")}`,
      `${tally.poor} × both poor, which counts for neither`,
      ...(tally.missing.length ? [`no votes on ${tally.missing.join(", ")}`] : []),
      ...(tally.idle ? [`${tally.idle} not counted, because the names were known`] : []),
    ].join(" · ");
  };

  /* ---- the blind vote ---- */

  const arena = one("#blind");
  let asked = null;
  let idle = [];
  const voting = () => root.classList.contains("blind");
  const open = () => {
    const done = new Set((state.revealed ? idle : mine()).map((vote) => pairKey(vote.prompt, vote.seed, vote.left, vote.right)));
    return pairs.filter(([first, second]) => !done.has(pairKey(first.prompt, first.seed, first.sha256, second.sha256)));
  };
  const ask = () => {
    const left = open();
    const done = pairs.length - left.length;
    asked = left.length ? (coin() ? left[0] : [left[0][1], left[0][0]]) : null;
    one(".pair", arena).hidden = !asked;
    one(".done", arena).hidden = Boolean(asked);
    one(".count", arena).textContent = asked ? `${done + 1} of ${pairs.length}` : `${done} of ${pairs.length}`;
    one(".progress span", arena).style.transform = `scaleX(${pairs.length ? done / pairs.length : 0})`;
    one('[data-do="undo"]', arena).disabled = state.revealed || mine().length === 0;
    one('.tools [data-do="export"]', arena).disabled = state.votes.length === 0;
    const [short, long] = state.revealed ? ["Back", "Back to the report"] : mine().length ? ["Reveal", "Reveal the names"] : ["Leave", "Leave"];
    one('.tools [data-do="finish"]', arena).textContent = short;
    one('.done [data-do="finish"]', arena).textContent = long;
    one(".done .lead", arena).textContent = pairs.length
      ? `All ${counted(pairs.length, "pair")} judged. Thank you.`
      : "There are no two pictures to compare.";
    one(".ask", arena).textContent = asked ? data.prompts[asked[0].prompt] : "";
    all(".frame img", arena).forEach((image, side) => {
      if (asked) image.src = asked[side].large;
      else image.removeAttribute("src");
    });
    all(".duel figcaption", arena).forEach((caption, side) => {
      caption.textContent = "AB"[side] + (asked && state.revealed ? ` · ${titles.get(asked[side].entrant)}` : "");
    });
  };
  const vote = (outcome) => {
    if (!asked) return;
    const cast = {
      judge: state.judge, prompt: asked[0].prompt, seed: asked[0].seed, left: asked[0].sha256, right: asked[1].sha256,
      outcome, counted: !state.revealed, at: new Date().toISOString(),
    };
    if (state.revealed) idle.push(cast);
    merge([cast]);
    keep();
    const words = { left: "A is better", right: "B is better", tie: "Tie", poor: "Both poor" }[outcome];
    tell(cast.counted ? `${words}.${lasting ? "" : " This browser keeps no votes: export them before you close the page."}`
      : `${words}: not counted, because the names are known.`);
    ask();
  };
  const undo = () => {
    if (state.revealed || !mine().length) return;
    state.votes.splice(state.votes.lastIndexOf(mine().at(-1)), 1);
    keep();
    tell("The last vote was taken back.");
    ask();
  };
  const leave = (message = "") => {
    root.classList.remove("blind");
    tell(message);
    draw();
    location.replace("#ranking");
    section.scrollIntoView();
  };
  const reveal = () => {
    state.revealed = true;
    keep();
    leave("The names are revealed; votes from now on do not count.");
  };
  const finish = async () => {
    if (!begun()) { leave(); return; }
    const left = open().length;
    const warning = left ? `${counted(left, "pair")} ${left === 1 ? "is" : "are"} still open. ` : "";
    if (await sure("Reveal the names?", `${warning}Votes that you cast afterwards do not count.`, "Reveal")) reveal();
  };
  const begin = () => {
    root.classList.add("blind");
    location.replace("#blind"); /* replaced, not pushed: going back by mistake must not show the names */
    idle = [];
    tell("");
    ask();
    scrollTo(0, 0);
    one("h2", arena).focus({ preventScroll: true });
  };

  for (const button of all("[data-vote]")) touching(button, () => vote(button.dataset.vote));
  touching(one('[data-do="undo"]', arena), undo);
  for (const button of all('[data-do="finish"]', arena)) touching(button, finish);
  for (const link of all('[data-do="blind"]')) touching(link, (event) => { event.preventDefault(); begin(); });
  touching(one('[data-do="reveal"]', section), async () => {
    if (await sure("Reveal the ranking?", "Votes that you cast afterwards do not count.", "Reveal")) reveal();
  });
  touching(one('[data-do="forget"]', section), async () => {
    if (!await sure("Forget all votes?", "They are removed from this browser. Export them first, if you want to keep them.", "Forget")) return;
    state.votes = [];
    keep();
    tell("All votes are forgotten.");
    draw();
  });
  addEventListener("hashchange", () => {
    if (location.hash === "#blind" && !voting()) begin();
    else if (location.hash !== "#blind" && voting()) {
      if (begun()) location.replace("#blind");
      else leave();
    }
  });
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || one("dialog[open]")) return;
    if (event.target.closest?.("input, select, textarea")) return;
    const anywhere = { "?": () => one("#keys").showModal(), t: nextTheme };
    const here = voting()
      ? { ArrowLeft: () => vote("left"), ArrowRight: () => vote("right"), ArrowUp: () => vote("tie"), ArrowDown: () => vote("poor"), Backspace: undo }
      : { b: begin };
    const work = { ...anywhere, ...here }[event.key];
    if (!work) return;
    event.preventDefault();
    work();
  });
  touching(one('[data-do="keys"]'), () => one("#keys").showModal());

  /* ---- votes go out and come in as a file ---- */

  const hand = () => {
    const content = { format: FORMAT, version: 1, comparison: data.id, votes: state.votes };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1)], { type: "application/json" }));
    link.download = `votes-${data.id.slice(0, 12)}-${state.judge}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    tell(`${counted(state.votes.length, "vote")} exported.`);
  };
  const refusal = (content) => {
    const shape = content !== null && typeof content === "object" && content.format === FORMAT && content.version === 1
      && typeof content.comparison === "string" && Array.isArray(content.votes);
    if (!shape) return "This is not a file of votes; nothing was imported.";
    if (content.comparison !== data.id) return "These votes belong to another comparison; nothing was imported.";
    if (!content.votes.every(isVote)) return "This file of votes is damaged; nothing was imported.";
    if (!content.votes.every(isOurs)) return "Some of these votes are about pictures that are not in this report; nothing was imported.";
    return null;
  };
  const take = async (file) => {
    let content = null;
    try {
      if (file.size <= LARGEST) content = JSON.parse(await file.text());
    } catch {
      content = null;
    }
    const no = refusal(content);
    if (no) { tell(no, true); return; }
    merge(content.votes);
    keep();
    tell(`${counted(content.votes.length, "vote")} imported.`);
    draw();
  };
  for (const button of all('[data-do="export"]')) touching(button, hand);
  one('[data-do="import"]').addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (file) await take(file);
    event.target.value = "";
  });

  draw();
  if (voting()) begin();
})();
