// Answers queries as the search page of the site does, with the site's own scripts.
// Usage: node site_search.js DIRECTORY QUERY...; prints a JSON object: the page names of each query, best first.
const fs = require("node:fs");
const path = require("node:path");
const vm = require("node:vm");

const [directory, ...queries] = process.argv.slice(2);
const context = vm.createContext({
  _: (text) => text,
  _ready: () => {},
  document: { getElementById: () => null },
  SPHINX_HIGHLIGHT_ENABLED: false,
  queries,
});
context.window = context;
// Sphinx 8 has the stemmer in language_data.js.
const stemmers = ["_static/base-stemmer.js", "_static/english-stemmer.js"];
// In the order of the search page. The project's scorer.js is in language_data.js.
const scripts = [...stemmers, "_static/searchtools.js", "_static/language_data.js", "searchindex.js"];
for (const script of scripts.map((name) => path.join(directory, name)).filter(fs.existsSync))
  vm.runInContext(fs.readFileSync(script, "utf8"), context);
const search = "Object.fromEntries(queries.map((query) => [query, Search._performSearch(...Search._parseQuery(query)).reverse()]))";
const results = vm.runInContext(search, context);
for (const query of queries) results[query] = [...new Set(results[query].map((result) => result[0]))];
console.log(JSON.stringify(results));
