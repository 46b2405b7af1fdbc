// Allure 3's configuration. `make allure` uses it; GATE_ALLURE_RESULTS names the folder of results.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const results = process.env.GATE_ALLURE_RESULTS ?? "allure-results";

function run() {
  try {
    return JSON.parse(readFileSync(join(results, "release-gates.json"), "utf8"));
  } catch {
    return { title: "no verdict", run: "", variables: { Verdict: "none: this run decided nothing, or did not end" } };
  }
}

const history = join(results, "..", "allure-history.jsonl");
const { title, run: id, variables } = run();

// A second report on the same run is no second run.
function isNew() {
  try {
    return readFileSync(`${history}.run`, "utf8") !== id;
  } catch {
    return true;
  }
}

export default {
  name: variables.Entry ? `${title}: ${variables.Candidate}, entry to ${variables.Entry}` : title,
  variables,
  historyPath: history,
  appendHistory: isNew(),
  historyLimit: 20,
  categories: [
    { name: "Verdict", matchers: { labels: { feature: "verdict" } } },
    { name: "Missing", matchers: { message: /^MISSING: / } },
    { name: "Waived", matchers: { statuses: ["skipped"], message: /waived/i } },
    { name: "Flaky", matchers: { flaky: true } },
    { name: "Inconclusive", matchers: [{ message: /INCONCLUSIVE: / }, { statuses: ["skipped"] }] },
    { name: "Limit broken", matchers: { statuses: ["failed"] } },
    { name: "Could not measure", matchers: { statuses: ["broken"] } },
  ],
  plugins: {
    awesome: {
      options: { singleFile: true, reportLanguage: "en", groupBy: ["epic", "feature"] },
    },
  },
};
