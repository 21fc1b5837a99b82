export default {
  entry: './main.jsx',
  output: { clean: true },
  module: { rules: [{ test: /\.jsx$/, loader: 'esbuild-loader', options: { jsx: 'automatic' } }] },
  // The model is an asset of seven megabytes.
  performance: { hints: false },
};
