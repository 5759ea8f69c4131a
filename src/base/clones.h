// Compiles a function for three generations of processors, chosen when the program starts; sanitizers cannot see
// through that choice, so their builds get one version.
#pragma once

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MIEN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MIEN_CLONES
#endif
