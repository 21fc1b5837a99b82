// Begins a kernel's module: feature maps lie in f16, which needs the feature `shader-f16` and halves what is read and
// written. They become f32 when they are loaded, so every sum is f32.

enable f16;

alias Value = f16;
alias Value4 = vec4<f16>;
