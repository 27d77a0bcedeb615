// Reading the API's description: operations by tag, and schemas in words. Pure functions, tested without a browser.

const METHODS = ["get", "post", "put", "patch", "delete"];

/** @typedef {OperationObject & { method: string, path: string }} Operation */
/** @typedef {{ name: string, description: string, operations: Operation[] }} Group */
/** One word of a type; `schema` is the name of the one it links to. @typedef {{ text: string, schema?: string }} Word */

/** Operations under their tags, in the order the document gives the tags. @param {OpenApi} document @returns {Group[]} */
export function groups({ tags = [], paths }) {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ ...item[method], method: method.toUpperCase(), path })));
  const names = [...new Set([...tags.map((tag) => tag.name), ...all.map(tagOf)])];
  return names.map((name) => ({
    name,
    description: tags.find((tag) => tag.name === name)?.description ?? "",
    operations: all.filter((operation) => tagOf(operation) === name),
  })).filter((group) => group.operations.length > 0);
}

/** `id` of a tag's heading. @param {string} name */
export function anchor(name) {
  return `tag-${name.replaceAll(" ", "-")}`;
}

/** `#/components/schemas/Task` → `Task`. @param {string} reference */
export function schemaName(reference) {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** The fields of an object, those of its parts (`allOf`) among them. @param {Schema} schema @param {OpenApi} document
 * @returns {{ name: string, schema: Schema, required: boolean }[]} */
export function fields(schema, document) {
  const { schema: bare } = withoutNull(schema);
  if (bare.$ref) return fields(document.components.schemas[schemaName(bare.$ref)] ?? {}, document);
  if (bare.allOf) return bare.allOf.flatMap((part) => fields(part, document));
  return Object.entries(bare.properties ?? {}).map(([name, field]) => ({ name, schema: field, required: bare.required?.includes(name) ?? false }));
}

/** A type in a few words, named schemas as links. @param {Schema} schema @param {OpenApi} document @returns {Word[]} */
export function typeOf(schema, document) {
  const { schema: bare, nullable } = withoutNull(schema);
  const words = bareType(bare, document);
  return nullable ? [...words, { text: " or null" }] : words;
}

/** What a value must keep to, beyond its type. @param {Schema} schema @returns {string} */
export function limits(schema) {
  const { schema: bare } = withoutNull(schema);
  const found = [
    range(bare.minimum === 0 && bare.maximum === undefined ? undefined : bare.minimum, bare.maximum, ""),
    range(bare.minLength, bare.maxLength, " characters"),
    range(bare.minItems, bare.maxItems, " items"),
  ];
  return found.filter(Boolean).join(", ");
}

/** @param {Schema} schema */
export function description(schema) {
  return schema.description ?? schema.oneOf?.find((part) => part.description)?.description ?? "";
}

/** The schema an object's own fields are shown of in place: one without a name, in a list or not. @param {Schema} schema @returns {Schema | null} */
export function inner(schema) {
  const { schema: bare } = withoutNull(schema);
  if (bare.items) return inner(bare.items);
  return bare.properties || bare.allOf ? bare : null;
}

/** @param {Operation} operation */
function tagOf(operation) {
  return operation.tags?.[0] ?? "other";
}

/** @param {Schema} schema @param {OpenApi} document @returns {Word[]} */
function bareType(schema, document) {
  if (schema.$ref) {
    const name = schemaName(schema.$ref);
    const named = document.components.schemas[name];
    return named && isPlain(named) ? typeOf(named, document) : [{ text: name, schema: name }];
  }
  if (schema.oneOf) return schema.oneOf.flatMap((part, index) => [...(index ? [{ text: " or " }] : []), ...typeOf(part, document)]);
  if (schema.items) return [{ text: "list of " }, ...(Object.keys(schema.items).length ? typeOf(schema.items, document) : [{ text: "anything" }])];
  if (schema.enum) return [{ text: schema.enum.map((value) => `"${value}"`).join(" or ") }];
  const type = Array.isArray(schema.type) ? schema.type.join(" or ") : schema.type;
  if (!type) return [{ text: schema.allOf ? "object" : "anything" }];
  return [{ text: schema.format && type === "string" ? `${type}, ${schema.format}` : type }];
}

/** A name that says no more than its type is left out. @param {Schema} schema */
function isPlain(schema) {
  return typeof schema.type === "string" && schema.type !== "object" && !schema.enum && !schema.description;
}

/** @param {Schema} schema @returns {{ schema: Schema, nullable: boolean }} */
function withoutNull(schema) {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== "null");
    return { schema: { ...schema, type: types.length === 1 ? types[0] : types }, nullable: types.length < schema.type.length };
  }
  const parts = schema.oneOf?.filter((part) => part.type !== "null");
  if (!parts || parts.length === schema.oneOf?.length) return { schema, nullable: false };
  return { schema: parts.length === 1 ? parts[0] : { ...schema, oneOf: parts }, nullable: true };
}

/** @param {number | undefined} least @param {number | undefined} most @param {string} unit */
function range(least, most, unit) {
  if (least !== undefined && most !== undefined) return `${least} to ${most}${unit}`;
  if (most !== undefined) return `at most ${most}${unit}`;
  return least === undefined ? "" : `at least ${least}${unit}`;
}
