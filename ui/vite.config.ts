import { defineConfig } from "vite";

// Everything is a file of our own origin: the service's Content-Security-Policy allows no data: address and no
// inline script, so nothing is inlined.
export default defineConfig({
  root: import.meta.dirname,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../api/static",
    emptyOutDir: true,
    target: "es2024",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    // `npx vite` beside a running `segue dev`: SEGUE_API_URL says where that is.
    proxy: { "/api": process.env.SEGUE_API_URL ?? "http://127.0.0.1:8080" },
  },
});
