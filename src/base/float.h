/* float.h - doubles as text, the way Prometheus writes and reads them. Shim over C++17 <charconv>: exact,
 * locale-free. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FLOAT_TEXT_MAX 32

/* Shortest text that reads back to the same double, exponent below 1e-4 or from 1e21 on as Go's 'f'/'g' mix
 * in the Prometheus API: 0.1, 1e-07, 1e+21, NaN, +Inf, -Inf. Returns the length written, at most
 * FLOAT_TEXT_MAX. */
size_t float_text(double v, char out[FLOAT_TEXT_MAX]);

/* Always plain decimal digits, never an exponent (Go's 'f', -1): what Prometheus prints for query result
 * values. Needs up to 400 bytes. */
size_t float_text_plain(double v, char *out, size_t cap);

/* The whole of s, as Prometheus' text formats allow it: decimal, exponent, hex float, Inf, +Inf, -Inf, NaN
 * (any case), underscores refused. False when anything is left over. */
bool float_parse(struct str s, double *out);

#ifdef __cplusplus
}
#endif
