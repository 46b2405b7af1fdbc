// Allure 3's configuration. `make allure` uses it; GATE_ALLURE_RESULTS names the folder of results.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const results = process.env.GATE_ALLURE_RESULTS ?? "allure-results";

function run() {
  try {
    return JSON.parse(readFileSync(join(results, "release-gates.json"), "utf8"));
  } catch {
    return { title: "no verdict", variables: { Verdict: "none: this run decided nothing, or did not end" } };
  }
}

const { title, variables } = run();

export default {
  name: variables.Entry ? `${title}: ${variables.Candidate}, entry to ${variables.Entry}` : title,
  variables,
  historyPath: join(results, "..", "allure-history.jsonl"),
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
