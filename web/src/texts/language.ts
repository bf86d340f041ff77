// The language of the study-room page.

import { en } from './en.js';
import { ko } from './ko.js';
import { createLanguages } from './languages.js';

export const { LanguageProvider, LanguageSwitch, useLanguage } = createLanguages({ en, ko });
