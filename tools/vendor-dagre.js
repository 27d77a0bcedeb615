// What the dashboard imports from dagre: bundled by vendor.sh into static/vendor/dagre.js.
export { Graph, layout } from "@dagrejs/dagre";
