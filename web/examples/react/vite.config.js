export default {
  // The element loads its module and its worker from beside itself; as files, not as data: addresses,
  // they satisfy a policy of worker-src 'self'.
  build: { assetsInlineLimit: 0 },
  optimizeDeps: { exclude: ['livecheck-capture'] },
};
