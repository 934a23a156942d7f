#include <nnn.h>
#include <nnn_cpu.h>
