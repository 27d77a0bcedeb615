// Types of static/vendor/preact.js, copied beside it by tools/vendor.sh. The browser never asks for them.
import type { ComponentChildren, VNode } from "preact";

export { render } from "preact";
export { useEffect, useRef } from "preact/hooks";
export { batch, computed, effect, signal, useComputed, useSignal } from "@preact/signals";
export type { ReadonlySignal, Signal } from "@preact/signals";
export function html(parts: TemplateStringsArray, ...values: unknown[]): VNode;
export type Children = ComponentChildren;
