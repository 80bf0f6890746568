// Holds objects against the schemas of their operators: a JSON list on standard input, of
// {"package": "keda", "object": {…}}. Prints what is wrong.

import { readFileSync } from 'node:fs';

for (const { package: name, object } of JSON.parse(readFileSync(0, 'utf8'))) {
  const { apiVersion, kind } = object;
  const models = await import(`@kubernetes-models/${name}/${apiVersion}`);
  try {
    new models[kind](object).validate();
  } catch (error) {
    console.log(`${kind} ${object.metadata?.name}: ${error.message}`);
    process.exitCode = 1;
  }
}
