/** The languages of the element: one file each, loaded when it is needed. */

import en from './en.js';

/** Loaders by language; English is there from the start. */
export const LANGUAGES = Object.freeze({
  en: async () => en,
  de: async () => (await import('./de.js')).default,
  es: async () => (await import('./es.js')).default,
  fr: async () => (await import('./fr.js')).default,
  pt: async () => (await import('./pt.js')).default,
  hi: async () => (await import('./hi.js')).default,
  id: async () => (await import('./id.js')).default,
  ar: async () => (await import('./ar.js')).default,
});

/** The English texts, by name. */
export const TEXTS = Object.freeze(en);

/** The language of a tag such as `pt-BR`, or English. */
export function languageOf(tag) {
  const language = (tag ?? '').toLowerCase().split('-')[0];
  return Object.hasOwn(LANGUAGES, language) ? language : 'en';
}
