/* http_strict.h - what libmicrohttpd lets through and we refuse, because somebody in front of us might read
 * it otherwise: two lengths, a length beside a transfer coding, bare line feeds, folded lines, NUL and
 * control bytes, odd names. */
#pragma once
#include <microhttpd.h>

#include "net/http_params.h"

/* NULL when the head is sound, else what is wrong with it. method, version, fields: libmicrohttpd's own
 * pointers, not copies; target: the raw one, wherever it lies. */
const char *http_strict(struct MHD_Connection *, const char *method, struct str target, const char *version,
                        const struct http_pair *fields, size_t n_fields);

/* No control bytes, blanks, broken or NUL escapes in it. */
const char *http_strict_target(struct str target);
