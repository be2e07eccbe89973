// Ranks the results of the search. Sphinx sorts pages that have a word by their titles alone, so that the changelog and
// the list of all messages, which have every word, would come first.
// https://www.sphinx-doc.org/en/master/usage/configuration.html#confval-html_search_scorer
const PAGES_BY_VALUE = [
  [/^(howto|tutorials|installation|faq)/, 4],
  [/^reference\/(settings|commands|contexts|blocks|errors|glossary)/, 2],
  [/^(changelog|decisions|reference\/messages)/, -4],
];

const valueOf = (page) => PAGES_BY_VALUE.find(([pattern]) => pattern.test(page))?.[1] ?? 0;

var Scorer = {
  score: ([page, , , , score]) => score + valueOf(page),
  // The rest is as in Sphinx.
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// Sphinx looks for the query in the entries of the index. A message that was pasted whole has names and values, too: look
// for the entries of messages (searchable_messages.py) in the query. The longest is the best result, which is the last.
const performSearch = Search._performSearch;
Search._performSearch = (query, ...terms) => {
  const { docnames, filenames, indexentries, titles } = Search._index;
  const text = query.toLowerCase().trim();
  const quoted = Object.entries(indexentries)
    .filter(([entry]) => entry.length < text.length && text.includes(entry))
    .flatMap(([entry, places]) => places.map(([file, id]) => ({ entry, file, id, value: valueOf(docnames[file]) })))
    .filter(({ id }) => id.startsWith("message-"))
    .sort((a, b) => a.entry.length - b.entry.length || a.value - b.value)
    .map(({ file, id }) => [docnames[file], titles[file], `#${id}`, null, 100, filenames[file], "index"]);
  return [...performSearch(query, ...terms), ...quoted];
};
