// Ranks the results of the search. Sphinx sorts pages that have a word by their titles alone, so that the changelog and
// the list of all messages, which have every word, would come first.
// https://www.sphinx-doc.org/en/master/usage/configuration.html#confval-html_search_scorer
const PAGES_BY_VALUE = [
  [/^(howto|tutorials|installation|faq)/, 4],
  [/^reference\/(settings|commands|contexts|blocks|errors|glossary)/, 2],
  [/^(changelog|decisions|reference\/messages)/, -4],
];

var Scorer = {
  score: ([page, , , , score]) => score + (PAGES_BY_VALUE.find(([pattern]) => pattern.test(page))?.[1] ?? 0),
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
