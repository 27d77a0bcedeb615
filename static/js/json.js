// JSON as text, never as values: printing what JSON.parse returns would change 9007199254740993 and 1.0.
// Every number and string is shown as it was sent. Loops, not recursion: a payload may nest as deep as it likes.

/** @typedef {{ kind: "key" | "string" | "number" | "word" | "open" | "close" | "comma" | "colon", text: string, at: number }} Token */
/** @typedef {{ kind: string, text: string }} Segment */

const INLINE = 64;
/** @type {Record<string, Token["kind"]>} */
const MARKS = { "{": "open", "[": "open", "}": "close", "]": "close", ",": "comma", ":": "colon" };

/** Splits a JSON text. Throws SyntaxError at what no JSON text holds; doesn't check the grammar. @param {string} text */
export function tokenize(text) {
  /** @type {Token[]} */
  const tokens = [];
  const blank = /[ \t\r\n]*/y;
  const scalar = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
  for (let at = skip(blank, text, 0); at < text.length; ) {
    const char = text[at];
    let end = at + 1;
    let kind = MARKS[char];
    if (char === '"') [kind, end] = ["string", stringEnd(text, at)];
    else if (!kind) [kind, end] = [char === "-" || (char >= "0" && char <= "9") ? "number" : "word", skip(scalar, text, at)];
    if (end === at) throw new SyntaxError(`unexpected character at ${at}`);
    if (kind === "colon" && tokens.length) tokens[tokens.length - 1].kind = "key";
    tokens.push({ kind, text: text.slice(at, end), at });
    at = skip(blank, text, end);
  }
  return tokens;
}

/** Each member of a top-level object as the exact text of its value. @param {string} text @returns {Map<string, string>} */
export function members(text) {
  const found = new Map();
  const tokens = tokenize(text);
  let depth = 0;
  let key = "";
  let start = -1;
  for (const [index, token] of tokens.entries()) {
    if (depth === 1 && token.kind === "key") [key, start] = [JSON.parse(token.text), tokens[index + 2]?.at ?? -1];
    const ends = depth === 1 && (token.kind === "comma" || token.kind === "close");
    if (ends && start >= 0) {
      found.set(key, text.slice(start, token.at).trimEnd());
      start = -1;
    }
    depth += token.kind === "open" ? 1 : token.kind === "close" ? -1 : 0;
  }
  return found;
}

/** The text on one line, without blanks. @param {string} text */
export function compactJson(text) {
  return tokenize(text).map((token) => token.text).join("");
}

/** The text indented by two, as segments to colour. Short lists and objects stay on one line. @param {string} text */
export function pretty(text) {
  const tokens = tokenize(text);
  /** @type {Segment[]} */
  const out = [];
  let depth = 0;
  let inlineUntil = -1;
  const line = () => `\n${"  ".repeat(Math.min(depth, 60))}`;
  for (const [index, token] of tokens.entries()) {
    const inline = index <= inlineUntil;
    if (token.kind === "close") depth -= 1;
    if (token.kind === "close" && !inline) mark(out, line());
    if (token.kind === "key" || token.kind === "string" || token.kind === "number" || token.kind === "word") {
      out.push({ kind: token.kind, text: visible(token.text) });
      continue;
    }
    mark(out, token.kind === "colon" ? ": " : token.text);
    if (token.kind === "open") {
      depth += 1;
      if (!inline) inlineUntil = inlineEnd(tokens, index);
    }
    if (token.kind === "comma") mark(out, inline ? " " : line());
    if (token.kind === "open" && index >= inlineUntil) mark(out, line());
  }
  return out;
}

/** @param {string} text */
export function prettyText(text) {
  return pretty(text).map((segment) => segment.text).join("");
}

/** Invisible and direction-changing characters as escapes, so that a payload can't be shown as another. @param {string} text */
export function visible(text) {
  return text.replace(/[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, (char) =>
    `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** @param {Segment[]} out @param {string} text */
function mark(out, text) {
  const last = out[out.length - 1];
  if (last?.kind === "mark") last.text += text;
  else out.push({ kind: "mark", text });
}

/** The index of the bracket closing `open` if all of it fits one line and holds no other bracket, else -1. @param {Token[]} tokens @param {number} open */
function inlineEnd(tokens, open) {
  for (let index = open + 1; index < tokens.length && tokens[index].at - tokens[open].at < INLINE; index += 1) {
    if (tokens[index].kind === "close") return index;
    if (tokens[index].kind === "open") return -1;
  }
  return -1;
}

/** @param {RegExp} pattern sticky @param {string} text @param {number} at */
function skip(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** @param {string} text @param {number} start */
function stringEnd(text, start) {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at + 1;
  }
  throw new SyntaxError(`unfinished string at ${start}`);
}
