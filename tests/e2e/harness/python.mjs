// Programs of the Python environment that `cargo xtask setup --tests` makes.

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER =
  process.env.ROLLCALL_PYTHON_TOOLS ?? fileURLToPath(new URL('../../../target/python-tools/bin', import.meta.url));

export const pythonTool = (name) => join(FOLDER, name);
