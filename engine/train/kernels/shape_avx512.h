// The operators in the shape for 32 registers of 16 floats: 24 of them accumulate.
// Included by isa_avx512.c and, without the instructions, by package emulated.
#define VL 16
#define NV 2
#define MR 12
#include "gemm.h"
#include "ops.h"
#include "attention.h"
