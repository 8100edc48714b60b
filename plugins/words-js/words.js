// A step in JavaScript: how often each word of a text occurs.
//
// Built by `cargo xtask guests js`; the component carries a JavaScript engine of 12 MB.

import { write } from "wfhost:host/log@0.1.0";

const description = {
  name: "count",
  docs: "How often each word of a text occurs.",
  inputSchema: JSON.stringify({
    type: "object",
    required: ["text"],
    additionalProperties: false,
    properties: { text: { type: "string" } },
  }),
  outputSchema: JSON.stringify({
    type: "object",
    required: ["words"],
    properties: { words: { type: "object", additionalProperties: { type: "integer" } } },
  }),
};

function count({ text }) {
  const words = {};
  for (const word of text.toLowerCase().match(/[a-z\u00df-\u024f]+/g) ?? []) {
    words[word] = (words[word] ?? 0) + 1;
  }
  return { words };
}

export const steps = {
  describe: () => [description],

  run(name, context, input) {
    if (name !== description.name) {
      throw { tag: "permanent", val: { code: "unknown-step", message: `there is no step ${name}` } };
    }
    write("debug", `attempt ${context.attempt}`, []);
    return JSON.stringify(count(JSON.parse(input)));
  },
};
