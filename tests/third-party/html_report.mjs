// Opens a report in headless Chromium over its DevTools pipe and checks what a reader would meet: no
// script, dialog or request, nothing wider than the window, text that can be read in light and in
// dark, and a PDF. Screenshots are left in the folder for people to look at.
//
// Usage: node html_report.mjs CHROMIUM REPORT.html FOLDER [--expect-script]
// With --expect-script (the control) a script must have been noticed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [chromium, report, folder, control] = process.argv.slice(2);
const profile = mkdtempSync(path.join(tmpdir(), "chromium-"));
const browser = spawn(
  chromium,
  [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    `--user-data-dir=${profile}`,
    "--remote-debugging-pipe",
    "about:blank",
  ],
  { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
);
const [, , , input, output] = browser.stdio;

let number = 0;
let rest = "";
const waiting = new Map();
const seen = { dialogs: [], requests: [], errors: [] };
let loaded = () => {};
output.setEncoding("utf8").on("data", (text) => {
  const messages = (rest + text).split("\0");
  rest = messages.pop();
  for (const message of messages.map((message) => JSON.parse(message))) {
    if (message.id) {
      const { resolve, reject } = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.error) reject(new Error(JSON.stringify(message.error)));
      else resolve(message.result);
    } else if (message.method === "Page.javascriptDialogOpening") {
      seen.dialogs.push(message.params.message);
      send("Page.handleJavaScriptDialog", { accept: true });
    } else if (message.method === "Network.requestWillBeSent") {
      seen.requests.push(message.params.request.url);
    } else if (message.method === "Page.loadEventFired") {
      loaded();
    } else if (message.method === "Log.entryAdded") {
      seen.errors.push(message.params.entry.text);
    }
  }
});

let session;
function send(method, params = {}) {
  const id = ++number;
  input.write(`${JSON.stringify({ id, method, params, sessionId: session })}\0`);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

async function evaluate(text) {
  const { result, exceptionDetails } = await send("Runtime.evaluate", { expression: text, returnByValue: true });
  if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
  return result.value;
}

let failures = 0;
function check(what, holds, detail) {
  failures += holds ? 0 : 1;
  console.log(`${holds ? "ok" : "FAIL"} ${what}`, holds ? "" : JSON.stringify(detail));
}

// The least contrast of text against what lies under it, and where it is; WCAG 2 asks for 4.5.
const CONTRAST = `(() => {
  const channel = (c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const paper = (at) => {
    for (; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if ((colour[3] ?? 1) > 0) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  const opacity = (at) => (at ? Number(getComputedStyle(at).opacity) * opacity(at.parentElement) : 1);
  let worst = { ratio: 99 };
  for (const at of document.querySelectorAll("h1,h2,h3,p,li,th,td,small,a,b,caption,svg text")) {
    if (!at.textContent.trim()) continue;
    const style = getComputedStyle(at);
    const under = paper(at), over = parse(at.closest("svg") ? style.fill : style.color);
    const see = opacity(at);
    const mixed = over.slice(0, 3).map((c, i) => c * see + under[i] * (1 - see));
    const [a, b] = [light(mixed), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst.ratio) worst = { ratio, text: at.textContent.slice(0, 40), tag: at.tagName, over, under };
  }
  return worst;
})()`;

// What is wider than the window without a scrollable box of its own around it, and text that is cut.
const OVERFLOW = `(() => {
  const wide = [];
  for (const at of document.querySelectorAll("body *")) {
    if (at.closest(".scroll") && !at.matches(".scroll")) continue;
    if (at.getBoundingClientRect().right > innerWidth + 1) wide.push(at.tagName + " " + at.textContent.slice(0, 40));
  }
  return { page: document.documentElement.scrollWidth - innerWidth, wide: wide.slice(0, 5) };
})()`;

async function open(width, scheme) {
  await send("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
  await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
  const ready = new Promise((resolve) => (loaded = resolve));
  await send("Page.navigate", { url: pathToFileURL(path.resolve(report)).href });
  await ready;
}

async function run() {
  const { targetInfos } = await send("Target.getTargets");
  const page = targetInfos.find((target) => target.type === "page");
  session = (await send("Target.attachToTarget", { targetId: page.targetId, flatten: true })).sessionId;
  for (const domain of ["Page", "Network", "Runtime", "Log"]) await send(`${domain}.enable`);

  for (const [width, scheme] of [[1280, "light"], [1280, "dark"], [400, "light"], [400, "dark"]]) {
    await open(width, scheme);
    const name = `${width}-${scheme}`;
    const overflow = await evaluate(OVERFLOW);
    check(`${name}: nothing is wider than the window`, overflow.page <= 0 && !overflow.wide.length, overflow);
    const contrast = await evaluate(CONTRAST);
    check(`${name}: text can be read`, contrast.ratio >= 4.5, contrast);
    const { cssContentSize } = await send("Page.getLayoutMetrics");
    const clip = { x: 0, y: 0, width, height: Math.min(cssContentSize.height, 12000), scale: 1 };
    const { data } = await send("Page.captureScreenshot", { clip, captureBeyondViewport: true });
    writeFileSync(path.join(folder, `${name}.png`), Buffer.from(data, "base64"));
  }

  const facts = await evaluate(`({
    scripts: document.scripts.length,
    handlers: [...document.querySelectorAll("*")].filter((at) => [...at.attributes].some((a) => /^on/i.test(a.name))).length,
    images: document.querySelectorAll("img, iframe, object, embed, link").length,
    marked: [...document.querySelectorAll("svg")].length,
    title: document.title,
    lang: document.documentElement.lang,
    headings: [...document.querySelectorAll("h1,h2,h3")].map((at) => Number(at.tagName[1])),
    broken: [...document.querySelectorAll('a[href^="#"]')].filter((at) => !document.getElementById(at.hash.slice(1))).map((at) => at.hash),
    tables: [...document.querySelectorAll("table")].filter((at) => !at.querySelector("th[scope=col]") || !at.querySelector("th[scope=row]")).length,
    charts: [...document.querySelectorAll("figure")].filter((at) => !at.getAttribute("aria-label")).length,
    text: document.body.innerText,
  })`);
  const skips = facts.headings.filter((level, at) => at && level > facts.headings[at - 1] + 1);
  if (control === "--expect-script") {
    check("control: the script was noticed", seen.dialogs.length > 0 && facts.scripts > 0, { seen, facts: facts.scripts });
  } else {
    check("no script ran and no dialog opened", seen.dialogs.length === 0, seen.dialogs);
    check("the page holds no script, handler or foreign content", facts.scripts + facts.handlers + facts.images === 0, facts);
    check("hostile names are shown as text", facts.text.includes("<script>alert('product')</script>"), facts.text.slice(0, 200));
    const foreign = seen.requests.filter((url) => !url.startsWith("file:"));
    check("nothing is requested", foreign.length === 0, foreign);
    check("the policy of the page has nothing to refuse", seen.errors.length === 0, seen.errors);
    check("charts are there and named", facts.marked > 0 && facts.charts === 0, facts);
    check("language, title and order of headings", facts.lang && facts.title && facts.headings[0] === 1 && !skips.length, facts.headings);
    check("tables have heads for columns and rows", facts.tables === 0, facts.tables);
    check("every link leads somewhere", facts.broken.length === 0, facts.broken);
  }
  const { data } = await send("Page.printToPDF", { preferCSSPageSize: true, printBackground: false });
  const pdf = Buffer.from(data, "base64");
  check("it prints", pdf.subarray(0, 5).toString() === "%PDF-" && pdf.length > 20_000, pdf.length);
  writeFileSync(path.join(folder, "report.pdf"), pdf);
}

const limit = setTimeout(() => {
  console.log("FAIL the browser does not answer");
  browser.kill();
  process.exit(1);
}, 120_000);
try {
  await run();
} catch (error) {
  failures += 1;
  console.log("FAIL", error);
}
clearTimeout(limit);
browser.kill();
browser.on("exit", () => {
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  process.exit(failures > 0 ? 1 : 0);
});
