// Begins a kernel's module: feature maps lie in f32.

alias Value = f32;
alias Value4 = vec4<f32>;
