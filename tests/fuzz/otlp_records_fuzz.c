/* OTLP spans and logs; the first byte chooses table and encoding. */
#include "decode/otlp_logs.h"
#include "decode/otlp_traces.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    record_decoder *const decoders[] = { otlp_traces_proto, otlp_traces_json, otlp_logs_proto,
                                         otlp_logs_json };
    if (n == 0) return 0;
    return record_check(decoders[data[0] & 3], data[0] & 2 ? TABLE_LOGS : TABLE_SPANS, data + 1, n - 1);
}
