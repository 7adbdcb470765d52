// The kernels of ../isa_avx512.c without its instructions.
#include <math.h>
#include "../net.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA emulated_avx512vnni
#define ISA_NAME "avx512vnni emulated"
#define VL 16
#define NV 3
#define MR 8
#include "dot.h"
#include "../simd.h"
#include "../rows.h"
#include "../attention.h"
#include "../head.h"
#include "../vnni.h"
#include "../table.h"
