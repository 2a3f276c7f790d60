/** What the page answers to thirty recorded questions is what the command that it shows answers, byte for byte. */
import { beforeAll, describe, expect, it } from 'vitest';
import { commandsInTurn } from '../cli/commands-in-turn.js';
import { askInFirefox, type BrowserAnswer } from './ask-in-firefox.js';
import { chromiumPath, firefoxPath, launchChromium } from './browsers.js';
import { PlannerPage, shellWords } from './planner-page.js';
import questions from './questions.json' with { type: 'json' };

/** What the commands that were shown print. */
async function commandAnswers(answers: readonly BrowserAnswer[]): Promise<string[]> {
  const lines = answers.map(
    (answer) => ['blip2-plan', [...shellWords(answer.command), '--format', 'json', '-q']] as const,
  );
  return (await commandsInTurn(lines)).map(({ stdout }) => stdout);
}

const numbered = questions.map((question, i) => [question, i] as const);

it('has thirty questions', () => expect(new Set(questions).size).toBe(30));

describe.skipIf(chromiumPath === null)('in Chromium', () => {
  const answers: BrowserAnswer[] = [];
  let complaints: readonly string[];
  let planned: readonly string[];
  beforeAll(async () => {
    await using browser = await launchChromium();
    const opened = await PlannerPage.open(browser);
    for (const question of questions) {
      await opened.goTo(question);
      // Where there is no plan, what is said instead is no plan of the command's either.
      answers.push((await opened.takeAnswer()) ?? { command: '', plan: await opened.said() });
    }
    complaints = opened.complaints;
    planned = await commandAnswers(answers);
  });

  it.each(numbered)('%s', (_, i) => expect(`${answers[i]?.plan}\n`).toBe(planned[i]));

  it('complains of none', () => expect(complaints).toEqual([]));
});

// Another engine's arithmetic is asked for by hand (PAGE_FIREFOX=1): it takes as long again.
describe.skipIf(process.env['PAGE_FIREFOX'] === undefined)('in Firefox', () => {
  let answers: readonly BrowserAnswer[];
  let planned: readonly string[];
  beforeAll(async () => {
    if (firefoxPath === null) throw new Error('there is no Firefox here');
    answers = await askInFirefox(firefoxPath, questions);
    planned = await commandAnswers(answers);
  });

  it.each(numbered)('%s', (_, i) => expect(`${answers[i]?.plan}\n`).toBe(planned[i]));
});
