// The kernels of ../isa_avxvnni.c without its instructions.
#include <math.h>
#include "../net.h"
#pragma GCC optimize("O3,no-math-errno,no-trapping-math,no-signed-zeros,fp-contract=off")
#define ISA emulated_avxvnni
#define ISA_NAME "avxvnni emulated"
#define VL 8
#define NV 2
#define MR 6
#include "dot.h"
#include "../simd.h"
#include "../rows.h"
#include "../attention.h"
#include "../head.h"
#include "../vnni.h"
#include "../table.h"
