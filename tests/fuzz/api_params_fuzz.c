/* What clients write in times, durations and escaped label names: a value or a refusal, never more. */
#include <stdint.h>

#include "base/check.h"
#include "tell/params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT(1 << 20);
    struct str s = str_make(data, size);
    int64_t ms = 0;

    if (param_time(s, &ms)) check(ms >= API_TIME_MIN && ms <= API_TIME_MAX);
    param_duration(s, &ms);
    struct str name = param_label_name(s, &a);
    check(name.n <= size);
    arena_release(&a);
    return 0;
}
