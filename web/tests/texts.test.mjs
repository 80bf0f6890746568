/** The texts of the element: none is missing in any language. */

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { CHECKS } from '../findings.js';
import { LANGUAGES, TEXTS, languageOf } from '../texts/index.js';

test('every language has a file, and every file is a language', async () => {
  const files = await readdir(new URL('../texts/', import.meta.url));
  const languages = files.map((file) => file.replace('.js', '')).filter((name) => name !== 'index');
  assert.deepEqual(languages.sort(), Object.keys(LANGUAGES).sort());
  assert.deepEqual(Object.keys(LANGUAGES).sort(), ['ar', 'de', 'en', 'es', 'fr', 'hi', 'id', 'pt']);
});

for (const [language, load] of Object.entries(LANGUAGES)) {
  test(`${language}: every text, in that language`, async () => {
    const texts = await load();
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(TEXTS).sort());
    assert.equal(texts.dir, language === 'ar' ? 'rtl' : 'ltr');
    for (const [name, text] of Object.entries(texts)) {
      assert.ok(text.trim() === text && text.length > 0, `${language} ${name}`);
      if (language !== 'en' && name !== 'dir') assert.notEqual(text, TEXTS[name], `${language} ${name}`);
    }
    if (language === 'hi') assert.match(texts.start, /\p{Script=Devanagari}/u);
    if (language === 'ar') assert.match(texts.start, /\p{Script=Arabic}/u);
  });
}

test('every check has a hint', () => {
  for (const check of [...CHECKS, 'ready', 'aim']) assert.ok(TEXTS[`hint-${check}`], check);
});

test('language tags lead to a language', () => {
  assert.deepEqual(
    ['pt-BR', 'AR', 'de-AT', 'zh', '', null, 'constructor'].map(languageOf),
    ['pt', 'ar', 'de', 'en', 'en', 'en', 'en'],
  );
});
