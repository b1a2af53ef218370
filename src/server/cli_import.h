/* cli_import.h - what the two halves of `vedette import` share: metrics go over as they are (cli_import.c),
 * logs and spans are read here and sent as OTLP (cli_import_records.c). */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include "decode/import_format.h"
#include "net/http_client.h"

struct import_settings {
    const char *server, *service; /* service: of records that name none; NULL: unknown_service */
    int64_t base_ns;              /* where time begins for formats without one */
};

/* POST, with patience for a server that says 429 or 503. The answer is yours. */
int import_post(const char *server, const char *path, const char *content_type, const char *encoding,
                struct str body, struct http_fetched *out, struct err *);

/* One file of logs or spans, unpacked. ERR_RANGE: some of it was refused, and shown. */
int import_records(const struct import_settings *, const char *file, struct str bytes,
                   const struct import_format *, struct err *);

/* A line that is written over on a terminal, and now and then a plain one elsewhere. */
struct import_progress {
    const char *file, *what; /* "spans" */
    uint64_t bytes, of_bytes, items;
    int64_t began_ns, shown_ns;
};
void import_progress_begin(struct import_progress *, const char *file, const char *what, uint64_t of_bytes);
void import_progress_show(struct import_progress *, uint64_t bytes, uint64_t items);
void import_progress_clear(const struct import_progress *);
