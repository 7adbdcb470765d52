// The set's table, from what was included before.
const sl_isa FN(sl_isa) = {
    .name = ISA_NAME, .nr = NR, .kstep = KSTEP, .qbytes = sizeof(FN(qtype)), .wbytes = sizeof(FN(wtype)),
    .pack = FN(pack), .quantize = FN(quantize), .panel = FN(panel), .rms = FN(rms), .rope = FN(rope),
    .attend = FN(attend), .swiglu = FN(swiglu), .dequant = FN(dequant), .fold = FN(fold),
    .peak_int8 = FN(peak_int8), .peak_fp32 = FN(peak_fp32),
};
