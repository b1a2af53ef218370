/* otlp_proto_fuzz.c - see otlp_check.h. */
#include "fuzz/otlp_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return otlp_check(otlp_metrics_proto, data, size);
}
