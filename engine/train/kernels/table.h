// SL_TABLE defines the table of an instruction set from its compiled operators; what a
// table may have of its own is a parameter.
#define SL_TABLE(symbol, isa, gemm_, peak_, kind)                                      \
  const sl_ops symbol = {                                                              \
      .name = isa, .peak_kind = kind,                                                  \
      .gemm = gemm_, .gemm_work = FN(gemm_work),                                       \
      .attn_fwd = FN(attn_fwd), .attn_bwd = FN(attn_bwd), .attn_work = FN(attn_work),  \
      .rms_fwd = FN(rms_fwd), .rms_bwd = FN(rms_bwd), .rope = FN(rope),                \
      .swiglu_fwd = FN(swiglu_fwd), .swiglu_bwd = FN(swiglu_bwd),                      \
      .cross_entropy = FN(cross_entropy),                                              \
      .add = FN(add), .scale = FN(scale), .axpby = FN(axpby), .sumsq = FN(sumsq),      \
      .adamw = FN(adamw), .peak = peak_,                                               \
  }
