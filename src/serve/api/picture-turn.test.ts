import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { messageSchema, pictureTurn } from './picture-turn.js';

const turnOf = (messages: unknown) => pictureTurn(z.array(messageSchema).parse(messages), 'messages');
const picture = (url: string) => ({ type: 'image_url', image_url: { url } });
const text = (words: string) => ({ type: 'text', text: words });

describe('pictureTurn', () => {
  it('is what the user said last, and its picture', () => {
    expect(turnOf([{ role: 'user', content: [text(' what is it? '), picture('a')] }])).toEqual({
      url: 'a',
      text: 'what is it?',
    });
    expect(turnOf([{ role: 'user', content: [picture('a')] }])).toEqual({ url: 'a', text: '' });
    expect(turnOf([{ role: 'user', content: [text('one'), picture('a'), text('two')] }]).text).toBe('one\ntwo');
  });

  it('goes back to an earlier picture where the last turn has none', () => {
    const talk = [
      { role: 'system', content: 'You caption pictures.' },
      { role: 'user', content: [text('what is it?'), picture('a')] },
      { role: 'assistant', content: 'a dog' },
      { role: 'user', content: [text('and this?'), picture('b')] },
      { role: 'assistant', content: null },
      { role: 'user', content: 'which colour?' },
    ];
    expect(turnOf(talk)).toEqual({ url: 'b', text: 'which colour?' });
    // Words that the answer is to begin with are the assistant's.
    expect(turnOf([...talk.slice(0, 2), { role: 'assistant', content: 'It is' }])).toEqual({
      url: 'a',
      text: 'what is it?',
    });
  });

  it('may be in several messages, and the picture beside their content', () => {
    const apart = [
      { role: 'user', content: 'what is it?' },
      { role: 'user', content: [], image_url: 'a' },
    ];
    expect(turnOf(apart)).toEqual({ url: 'a', text: 'what is it?' });
  });

  it('has one picture', () => {
    expect(() => turnOf([{ role: 'user', content: [picture('a'), picture('b')] }])).toThrow('2 pictures');
    expect(() => turnOf([{ role: 'user', content: 'hello' }])).toThrow('no picture');
    expect(() => turnOf([{ role: 'assistant', content: [picture('a')] }])).toThrow('no message of a user');
    // What the assistant shows is not what is asked about.
    const shown = [{ role: 'assistant', content: [picture('a')] }];
    expect(() => turnOf([...shown, { role: 'user', content: 'and?' }])).toThrow('no picture');
  });
});
