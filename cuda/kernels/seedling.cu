// Every kernel, in one module.
#include "decide.cu"
#include "head.cu"
