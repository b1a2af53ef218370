/* http_params.h - percent-decoding, and name=value pairs of a query string or a urlencoded form.
 *
 * Order is kept and names may repeat. A '%' that two hex digits do not follow stands for itself (as browsers
 * have it);
 * '+' is a space. Nothing is copied that needs no decoding: values borrow from the text they were read from.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define HTTP_PARAMS_MAX 16384 /* pairs; a client with more is not asking, it is attacking */

struct http_pair {
    struct str name, value;
};

struct http_params {
    struct http_pair *at; /* in the arena */
    size_t n, cap;
};

/* Append the pairs of text. ERR_LIMIT when there are too many. */
int http_params_read(struct http_params *, struct str text, struct arena *, struct err *);

/* One path segment or one form value, decoded. plus: '+' becomes a space. */
struct str http_decode(struct str s, bool plus, struct arena *);

/* Every '%' is followed by two hex digits, and none of them makes a NUL. */
bool http_escapes_valid(struct str path);
