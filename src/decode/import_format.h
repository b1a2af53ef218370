/* import_format.h - trace and log files of other systems, told apart by their content, -> spans and logs.
 *
 * Files, not requests: what is synthesised for formats that lack ids or times is a function of the content
 * alone, so importing a file twice gives the same spans (docs/import.md lists what becomes of each field).
 *
 *   1. Ids of another width than OTLP's (24 hex digits, UUIDs as span ids, free text) are hashed; the
 *      attributes vedette.import.trace_id, .span_id and .parent_span_id keep them as they were.
 *   2. Formats without times (agent conversations) count from record_options.now_ns, a second a message, and
 *      say so: vedette.import.synthetic_time.
 *   3. Texts of refusals begin with "line N", the line of the file where the record begins. */
#pragma once
#include "decode/record_sink.h"

struct import_format {
    const char *name;  /* "Langfuse export" */
    const char *about; /* one line for --help and the documentation */
    enum table table;
    record_decoder *decode;
};

extern const struct import_format import_formats[];
extern const size_t import_n_formats;

/* Of unpacked bytes; NULL: none of ours. Looks at the first value only. */
const struct import_format *import_recognise(struct str bytes);

/* The decoders. */
record_decoder
    import_span_dicts; /* spans as their SDKs print them, one by one, listed, nested, a line each */
record_decoder import_langfuse;
record_decoder import_who_and_when;
record_decoder import_tau_bench;
record_decoder import_log_lines; /* as log_json.h, but a line that names no service is kept */
record_decoder import_run_rows;  /* results and figures of test runs: a log event each */
