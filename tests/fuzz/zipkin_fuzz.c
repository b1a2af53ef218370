#include "decode/zipkin.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return record_check(zipkin_json, TABLE_SPANS, data, n);
}
