/* record_report.h - a decoder's account, for the answer to the sender and for the counters. */
#pragma once
#include "decode/record_sink.h"
#include "model/store.h"

/* What was refused joins what has been refused before; the first text with it. */
void record_report_add(struct write_result *refused, const struct record_report *);

/* One sentence for the sender: how many were refused for which reasons, how many altered, and the first
 * places. Empty when all came in as they were. */
void record_report_text(const struct record_report *, struct buf *);
