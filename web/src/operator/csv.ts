// Tables as CSV, which spreadsheets read in every language and execute nothing of.

/** Spreadsheets read the file as UTF-8 only with this mark. */
const BOM = '\uFEFF';

/** With these, spreadsheets take a text for a formula, also behind spaces. */
const FORMULA = /^[\s\u00a0\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20|]|^[\t\r\n]/;

/** One value. An apostrophe before what could be a formula makes it a text. */
function cell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = FORMULA.test(value) ? `'${value}` : value;
  return `"${text.replaceAll('"', '""')}"`;
}

/** Lines end as RFC 4180 says. */
export function toCsv(rows: readonly (readonly (string | number)[])[]): string {
  return BOM + rows.map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}
