// Every kernel, in one module.
#include "layer.cu"
#include "attention.cu"
#include "head.cu"
