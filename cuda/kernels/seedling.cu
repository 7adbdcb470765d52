// Every kernel, in one module.
#include "attention.cu"
#include "head.cu"
