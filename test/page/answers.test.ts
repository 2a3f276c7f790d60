/** What the page answers to thirty recorded questions is what the command that it shows answers, byte for byte. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { command } from '../cli/command.js';
import { askInFirefox, type BrowserAnswer } from './ask-in-firefox.js';
import { chromiumPath, firefoxPath, launchChromium } from './browsers.js';
import { PlannerPage, shellWords } from './planner-page.js';
import questions from './questions.json' with { type: 'json' };

async function commandAnswer(line: string): Promise<string> {
  return (await command('blip2-plan', [...shellWords(line), '--format', 'json', '-q'])).stdout;
}

it('has thirty questions', () => expect(new Set(questions).size).toBe(30));

describe.skipIf(chromiumPath === null)('in Chromium', () => {
  let browser: Browser;
  let opened: PlannerPage;
  beforeAll(async () => {
    browser = await launchChromium();
    opened = await PlannerPage.open(browser);
  });
  afterAll(async () => browser?.close());

  it.each(questions)('%s', async (question) => {
    await opened.goTo(question);
    const answer = (await opened.takeAnswer()) ?? expect.fail(await opened.said());
    expect(`${answer.plan}\n`).toBe(await commandAnswer(answer.command));
    expect(opened.complaints).toEqual([]);
  });
});

// Another engine's arithmetic is asked for by hand (PAGE_FIREFOX=1): it takes as long again.
describe.skipIf(process.env['PAGE_FIREFOX'] === undefined)('in Firefox', () => {
  let answers: readonly BrowserAnswer[];
  beforeAll(async () => {
    if (firefoxPath === null) throw new Error('there is no Firefox here');
    answers = await askInFirefox(firefoxPath, questions);
  });

  it.each(questions.map((question, i) => [question, i] as const))('%s', async (_, i) => {
    const answer = answers[i];
    if (answer === undefined) throw new Error('no answer');
    expect(`${answer.plan}\n`).toBe(await commandAnswer(answer.command));
  });
});
