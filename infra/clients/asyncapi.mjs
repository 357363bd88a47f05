// Checks docs/contract/asyncapi.json against AsyncAPI's own schema, and that its messages' examples fit their payloads:
// `node asyncapi.mjs FILE`.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import Ajv from "ajv";
import formats from "ajv-formats";

const require = createRequire(import.meta.url);
const document = JSON.parse(await readFile(process.argv[2], "utf8"));
// Without ids: each of its schemas names draft 07 again, which a validator knows once.
const specification = require(`@asyncapi/specs/schemas/${document.asyncapi}-without-$id.json`);

/** A validator of JSON Schema draft 07, which AsyncAPI extends. */
const validator = () => formats(new Ajv({ strict: false, allErrors: true, logger: false }));

const faults = [];
const isValid = validator().compile(specification);
if (!isValid(document)) faults.push(...isValid.errors.map((error) => `${error.instancePath}: ${error.message}`));

const { messages, schemas } = document.components;
const payloads = validator().addSchema({ $id: "document", components: { schemas } });
let checked = 0;
for (const [name, { payload, examples = [] }] of Object.entries(messages)) {
  // References are to the document, wherever the schema stands.
  const local = JSON.parse(JSON.stringify(payload).replaceAll('"#/', '"document#/'));
  const fits = payloads.compile(local);
  for (const example of examples) {
    checked += 1;
    if (!fits(example.payload)) faults.push(...fits.errors.map((error) => `${name}${error.instancePath}: ${error.message}`));
  }
}
if (checked < 20) faults.push(`only ${checked} messages have an example`);
for (const fault of faults) console.error(fault);
process.exitCode = faults.length ? 1 : 0;
