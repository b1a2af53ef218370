#include "decode/jaeger_thrift.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    return record_check(jaeger_thrift, TABLE_SPANS, data, n);
}
