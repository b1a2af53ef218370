/* respond.h - the envelope of the Prometheus API: {"status":..., "data":..., "warnings":[...],
 * "infos":[...]}.
 *
 *     struct buf out = BUF_INIT(ANSWER_MAX_BYTES);
 *     respond_begin(&out);
 *     ... write the data ...
 *     respond_success(x, &out, warnings, n, infos, n);        // the exchange is gone
 */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "net/http_server.h"

#define ANSWER_MAX_BYTES ((size_t)512 << 20)

enum api_error { /* errorType, status: see the table in respond.c */
                 API_BAD_DATA,
                 API_EXECUTION,
                 API_CANCELED,
                 API_TIMEOUT,
                 API_UNAVAILABLE,
                 API_INTERNAL,
                 API_NOT_FOUND,
                 API_NOT_ACCEPTABLE,
                 API_BUSY, /* unavailable, but 503: try again */
};

void respond_begin(struct buf *out); /* {"status":"success","data": */
void respond_success(struct http_exchange *, struct buf *out, const struct str *warnings, size_t n_warnings,
                     const struct str *infos, size_t n_infos);
void respond_data(struct http_exchange *, struct buf *out); /* without warnings */
void respond_json(struct http_exchange *, struct str data); /* a data part that is ready */
void respond_truncated(struct http_exchange *, struct buf *out, bool truncated); /* with the warning, if so */

void respond_error(struct http_exchange *, enum api_error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void respond_err(struct http_exchange *, const struct err *); /* by its code */

/* Errors of plain-text endpoints (federate, read). */
void respond_text(struct http_exchange *, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
