/* Loki's push; JSON when the first byte is odd. */
#include "decode/loki_push.h"
#include "record_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0) return 0;
    return record_check(data[0] & 1 ? loki_push_json : loki_push_proto, TABLE_LOGS, data + 1, n - 1);
}
