/* missing.h - what the answer of a request lacks, and the ways to say so.
 *
 * Notes of the store (model/store.h, promise 6) belong to the exchange: they are taken down by whatever reads
 * for it (api_job.h), and said by whatever answers: in a header always, and as "warnings" in the object where
 * the format has room. One thread at a time has an exchange. */
#pragma once
#include "base/buf.h"
#include "model/store.h"
#include "net/http_server.h"

struct call_notes *missing_notes(struct http_exchange *); /* made when first asked for */

/* To be called before the answer. X-Vedette-Warning, when there is something to say. */
void missing_header(struct http_exchange *);
/* Texts, in the exchange's arena. */
size_t missing_list(struct http_exchange *, struct str **out);
/* The same header, and "warnings":[...] as the last member of the JSON object that fills `out`. */
void missing_json(struct http_exchange *, struct buf *out);
