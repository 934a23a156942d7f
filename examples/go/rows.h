/* How the Go files hand rows to nnn.h: Go may not pass memory that holds Go pointers, so the structs are made in C. */
#ifndef NNN_GO_ROWS_H
#define NNN_GO_ROWS_H

#include "nnn.h"
#include "nnn_cpu.h"

#define ROWS(name) const float *name##_f32, const int8_t *name##_i8, const float *name##_scale, \
                   const nnn_bound *name##_bounds, size_t name##_rows, size_t name##_stride
#define F32(name) const nnn_mat_f32 name = {name##_f32, name##_rows, dim, name##_stride}
#define I8(name) const nnn_mat_i8 name = {name##_i8, name##_scale, name##_rows, dim, name##_stride}
#define ENCODED(name) const nnn_encoded name = {{name##_f32, name##_rows, dim, name##_stride}, \
                                                {name##_i8, name##_scale, name##_rows, dim, dim}, name##_bounds}
/* The kinds of rows. */
enum { FLOATS, CODES, CERTIFIED };

#endif
