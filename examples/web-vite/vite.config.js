import { defineConfig } from 'vite';

export default defineConfig({
  base: './',
  // The development server must not move the library's scripts away from their files.
  optimizeDeps: { exclude: ['g-ghostnet'] },
  worker: { format: 'es' },
});
