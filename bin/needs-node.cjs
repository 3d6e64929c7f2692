'use strict';
// Loaded before anything else, and read by whichever Node there is: no syntax that an old one does not know.
const needed = /\d+/.exec(require('../package.json').engines.node)[0];
const found = process.versions.node;
if (Number(found.split('.')[0]) < Number(needed)) {
  let text = `Penstock needs Node ${needed} or newer; this is Node ${found}`;
  // In a clone `npm ci` installs the right one, for scripts that npm runs.
  if (process.env.npm_lifecycle_event) text += '; `npm ci` installs the one that scripts run on';
  process.stderr.write(`${text}.\n`);
  process.exit(1);
}
