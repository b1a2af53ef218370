/* http_gzip.h - whether an answer should be gzipped, and doing it (libdeflate, level 1: a third of the size
 * for little CPU). */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"

#define HTTP_GZIP_LEAST_BYTES 1024

bool http_gzip_accepted(struct str accept_encoding); /* names gzip, x-gzip or *, not with q=0 */
bool http_gzip_type(const char *content_type);       /* text or JSON: what shrinks */

/* out: an empty buf, whose memory the caller takes over. False when the result would not be smaller. Any
 * thread. */
bool http_gzip(struct str in, struct buf *out);
