import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

import { defineConfig, type Plugin } from 'vite';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Writes each asset in its compressed form, too: the component that serves them does not compress. */
const compressed: Plugin = {
  name: 'compressed',
  generateBundle: {
    order: 'post',
    handler(_, bundle) {
      for (const [fileName, file] of Object.entries(bundle)) {
        if (fileName.endsWith('.html')) continue;
        const source = file.type === 'chunk' ? file.code : file.source;
        this.emitFile({ type: 'asset', fileName: `${fileName}.gz`, source: gzipSync(source, { level: 9 }) });
      }
    },
  },
};

export default defineConfig({
  plugins: [compressed],
  resolve: {
    alias: {
      '@rollcall/client': path('../clients/js/src/index.ts'),
      '@rollcall/react': path('../clients/react/src/index.ts'),
      '@rollcall/server': path('../clients/server/src'),
      '@rollcall/yjs': path('../clients/yjs/src/index.ts'),
      react: 'preact/compat',
    },
    // The clients' folders may have copies of their own.
    dedupe: ['preact', 'yjs', 'y-protocols'],
  },
  build: {
    target: 'es2022',
    // The Content-Security-Policy allows files of this page only, and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: [path('index.html'), path('operator.html')] },
    // The editor, which is loaded when it is needed.
    chunkSizeWarningLimit: 700,
  },
});
