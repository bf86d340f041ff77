// The language of the operator's page.

import { createLanguages } from '../texts/languages.js';
import { en } from './texts/en.js';
import { ko } from './texts/ko.js';

export const { LanguageProvider, LanguageSwitch, useLanguage } = createLanguages({ en, ko });
